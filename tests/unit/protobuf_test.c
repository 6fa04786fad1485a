/* SPDX-License-Identifier: MIT
 *
 * Against the examples of https://protobuf.dev/programming-guides/encoding/.
 */
#include "render/protobuf.h"

#include "testing.h"

#define CHECK_BYTES(buffer, expected)                                                              \
    do {                                                                                           \
        CHECK_OK((buffer)->sink.status);                                                           \
        CHECK_EQ((buffer)->length, sizeof(expected) - 1);                                          \
        assert_memory_equal((buffer)->bytes, expected, sizeof(expected) - 1);                      \
        (buffer)->length = 0;                                                                      \
    } while (0)

TEST(protobuf, encodes_numbers)
{
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    mw_protobuf_number(&buffer.sink, 1, 150);
    CHECK_BYTES(&buffer, "\x08\x96\x01");
    mw_protobuf_number(&buffer.sink, 16, 127);
    CHECK_BYTES(&buffer, "\x80\x01\x7f");
    mw_protobuf_number(&buffer.sink, 1, (uint64_t)-2);
    CHECK_BYTES(&buffer, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    mw_protobuf_number(&buffer.sink, 1, 0);
    CHECK_EQ(buffer.length, 0);
    mw_protobuf_varint(&buffer.sink, 0);
    CHECK_BYTES(&buffer, "\x00");
    mw_buffer_done(&buffer);
}

TEST(protobuf, encodes_strings_and_messages)
{
    mw_buffer buffer, message;

    mw_buffer_init(&buffer, mw_alloc_system());
    mw_buffer_init(&message, mw_alloc_system());
    mw_protobuf_bytes(&buffer.sink, 2, "testing", 7);
    CHECK_BYTES(&buffer, "\x12\x07testing");
    mw_protobuf_number(&message.sink, 1, 150);
    mw_protobuf_message(&buffer.sink, 3, &message);
    CHECK_BYTES(&buffer, "\x1a\x03\x08\x96\x01");
    CHECK_EQ(message.length, 0);
    mw_protobuf_message(&buffer.sink, 3, &message);
    CHECK_BYTES(&buffer, "\x1a\x00");
    mw_buffer_done(&buffer);
    mw_buffer_done(&message);
}

TEST(protobuf, hands_on_that_a_message_found_no_memory)
{
    mw_failing_alloc failing = mw_failing_alloc_at(0);
    mw_buffer buffer, message;

    mw_buffer_init(&buffer, mw_alloc_system());
    mw_buffer_init(&message, &failing.base);
    mw_protobuf_number(&message.sink, 1, 150);
    mw_protobuf_message(&buffer.sink, 3, &message);
    CHECK_EQ(buffer.sink.status, MW_NO_MEMORY);
    mw_buffer_done(&buffer);
    mw_buffer_done(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(protobuf, encodes_numbers),
        CASE(protobuf, encodes_strings_and_messages),
        CASE(protobuf, hands_on_that_a_message_found_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
