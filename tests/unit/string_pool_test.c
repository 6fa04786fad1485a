/* SPDX-License-Identifier: MIT */
#include "base/string_pool.h"

#include "testing.h"

enum { ROUNDS = 5000, LONGEST = 24 };

static uint32_t random_text(mw_random *random, char *text)
{
    uint32_t length = mw_random_below(random, LONGEST + 1);

    /* Texts of one letter and mostly two values: many meet again, many differ in one. */
    memset(text, 'a', length);
    if (length != 0)
        text[mw_random_below(random, length)] = (char)mw_random_below(random, 256);
    return length;
}

TEST(string_pool, numbers_are_equal_exactly_when_bytes_are)
{
    static char texts[ROUNDS][LONGEST];
    static uint32_t lengths[ROUNDS], numbers[ROUNDS];
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_random random = mw_random_of(1);
    mw_string_pool pool;

    CHECK_OK(mw_string_pool_init(&pool, &failing.base));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        lengths[i] = random_text(&random, texts[i]);
        CHECK_OK(mw_string_pool_intern(&pool, texts[i], lengths[i], &numbers[i]));
    }
    mw_string_pool_freeze(&pool);
    CHECK(mw_string_pool_is_consistent(&pool));
    CHECK_EQ(mw_string_pool_memory_bytes(&pool), failing.live_bytes);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        CHECK_EQ(mw_string_pool_length(&pool, numbers[i]), lengths[i]);
        assert_memory_equal(mw_string_pool_bytes(&pool, numbers[i]), texts[i], lengths[i]);
        CHECK_EQ(mw_string_pool_bytes(&pool, numbers[i])[lengths[i]], '\0');
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (uint32_t j = 0; j < i; j += 37) {
            bool same = lengths[i] == lengths[j] && memcmp(texts[i], texts[j], lengths[i]) == 0;

            CHECK_EQ(numbers[i] == numbers[j], same);
        }
    }
    mw_string_pool_done(&pool);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(string_pool, a_copy_has_the_same_strings_by_the_same_numbers)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_random random = mw_random_of(2);
    mw_string_pool pool, copy;
    uint32_t number;
    char text[LONGEST];

    CHECK_OK(mw_string_pool_init(&pool, mw_alloc_system()));
    for (uint32_t i = 0; i < 500; i++)
        CHECK_OK(mw_string_pool_intern(&pool, text, random_text(&random, text), &number));
    CHECK_OK(mw_string_pool_copy(&pool, &failing.base, &copy));
    CHECK_EQ(copy.count, pool.count);
    for (uint32_t i = 0; i < pool.count; i++) {
        CHECK_EQ(mw_string_pool_length(&copy, i), mw_string_pool_length(&pool, i));
        CHECK_STR_EQ(mw_string_pool_bytes(&copy, i), mw_string_pool_bytes(&pool, i));
    }
    mw_string_pool_done(&pool);
    CHECK_STR_EQ(mw_string_pool_bytes(&copy, 0), "");
    mw_string_pool_done(&copy);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(string_pool, has_the_empty_string_as_number_0)
{
    mw_string_pool pool;
    uint32_t number = 1;

    CHECK_OK(mw_string_pool_init(&pool, mw_alloc_system()));
    CHECK_OK(mw_string_pool_intern(&pool, "", 0, &number));
    CHECK_EQ(number, 0);
    CHECK_STR_EQ(mw_string_pool_bytes(&pool, 0), "");
    mw_string_pool_done(&pool);
    mw_string_pool_done(&pool);
}

TEST(string_pool, refuses_what_does_not_fit)
{
    mw_string_pool pool;
    uint32_t number;

    CHECK_OK(mw_string_pool_init(&pool, mw_alloc_system()));
    pool.byte_count += UINT32_MAX - 10; /* as if that many bytes were there */
    CHECK_EQ(mw_string_pool_intern(&pool, "0123456789", 10, &number), MW_LIMIT);
    pool.byte_count -= UINT32_MAX - 10;
    CHECK(mw_string_pool_is_consistent(&pool));
    mw_string_pool_done(&pool);
}

TEST(string_pool, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_random random = mw_random_of(1);
        mw_string_pool pool;

        status = mw_string_pool_init(&pool, &failing.base);
        for (int i = 0; status == MW_OK && i < ROUNDS; i++) {
            char text[LONGEST];
            uint32_t length = random_text(&random, text), number;

            status = mw_string_pool_intern(&pool, text, length, &number);
        }
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK(pool.count == 0 || mw_string_pool_is_consistent(&pool));
        mw_string_pool_done(&pool);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(string_pool, numbers_are_equal_exactly_when_bytes_are),
        CASE(string_pool, a_copy_has_the_same_strings_by_the_same_numbers),
        CASE(string_pool, has_the_empty_string_as_number_0),
        CASE(string_pool, refuses_what_does_not_fit),
        CASE(string_pool, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
