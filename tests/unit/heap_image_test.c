/* SPDX-License-Identifier: MIT */
#include "heap_model.h"

enum { HEAPS = 300, RECORDS = 4096 };

/* Payloads as they were handed on. */
typedef struct tape {
    uint32_t count;
    struct {
        mw_record_type type;
        uint8_t *bytes;
        size_t length;
    } records[RECORDS];
} tape;

static mw_status record(void *context, mw_record_type type, const mw_bytes *payload)
{
    tape *self = context;

    CHECK(self->count < RECORDS);
    self->records[self->count].type = type;
    self->records[self->count].length = payload->length;
    self->records[self->count].bytes = malloc(payload->length + 1);
    memcpy(self->records[self->count].bytes, payload->bytes, payload->length);
    self->count++;
    return MW_OK;
}

static void rewind_tape(tape *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        free(self->records[i].bytes);
    self->count = 0;
}

static mw_status play(const tape *self, mw_heap_image *image, mw_alloc *alloc)
{
    mw_status status = mw_heap_image_init(image, alloc);

    for (uint32_t i = 0; i < self->count && status == MW_OK; i++) {
        mw_cursor payload = mw_cursor_of(self->records[i].bytes, self->records[i].length);

        status = self->records[i].type == MW_RECORD_HEAP ? mw_heap_image_take_heap(image, payload)
                                                         : mw_heap_image_take_nodes(image, payload);
    }
    return status;
}

static tape the_tape;

TEST(heap_image, reads_what_was_written)
{
    for (uint64_t seed = 0; seed < HEAPS; seed++) {
        heap_model model = heap_model_random(seed);
        mw_heap_image image;

        CHECK_OK(heap_model_write(&model, record, &the_tape, mw_alloc_system()));
        CHECK_OK(play(&the_tape, &image, mw_alloc_system()));
        heap_model_check(&model, &image);
        mw_heap_image_done(&image);
        rewind_tape(&the_tape);
    }
}

TEST(heap_image, an_object_with_many_references_is_spread_over_records)
{
    enum { MANY = 100000 };
    const mw_heap_form form = {.type = 0, .edges = MW_HEAP_EDGES_ITEMS};
    mw_heap_type_row type = {0};
    mw_heap_summary summary = {.types = &type, .type_count = 1};
    mw_heap_encoder encoder;
    mw_heap_image image;
    mw_random random = mw_random_of(1);

    CHECK_OK(mw_heap_encoder_init(&encoder, record, &the_tape, mw_alloc_system()));
    encoder.record_bytes = 10000;
    mw_heap_encoder_node(
        &encoder,
        &(mw_heap_row){.form = mw_heap_encoder_form(&encoder, &form, NULL), .degree = MANY});
    for (int i = 0; i < MANY; i++)
        mw_heap_encoder_edge(&encoder, 1 + mw_random_below(&random, 2));
    mw_heap_encoder_node(&encoder, &(mw_heap_row){.form = 1});
    CHECK_OK(mw_heap_encoder_finish(&encoder, &summary));
    mw_heap_encoder_done(&encoder);
    CHECK(the_tape.count > 10);
    CHECK_OK(play(&the_tape, &image, mw_alloc_system()));
    random = mw_random_of(1);
    for (uint32_t i = 0; i < MANY; i++)
        CHECK_EQ(image.graph.edges[i], 1 + mw_random_below(&random, 2));
    mw_heap_image_done(&image);
    rewind_tape(&the_tape);
}

TEST(heap_image, no_cut_payload_leads_it_astray)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        heap_model model = heap_model_random(seed);

        CHECK_OK(heap_model_write(&model, record, &the_tape, mw_alloc_system()));
        for (uint32_t i = 0; i < the_tape.count; i++) {
            size_t length = the_tape.records[i].length;

            for (size_t cut = 0; cut < length; cut++) {
                mw_heap_image image;

                the_tape.records[i].length = cut;
                CHECK_EQ(play(&the_tape, &image, mw_alloc_system()), MW_BAD_INPUT);
                CHECK(image.complaint != NULL);
                mw_heap_image_done(&image);
            }
            the_tape.records[i].length = length;
        }
        rewind_tape(&the_tape);
    }
}

/* Whatever is in the file, it is refused or within its bounds. */
TEST(heap_image, no_flipped_byte_leads_it_astray)
{
    uint32_t refused = 0;

    for (uint64_t seed = 0; seed < 12; seed++) {
        heap_model model = heap_model_random(seed);
        mw_random random = mw_random_of(seed);

        CHECK_OK(heap_model_write(&model, record, &the_tape, mw_alloc_system()));
        for (int round = 0; round < 3000; round++) {
            uint32_t i = mw_random_below(&random, the_tape.count);
            uint8_t *byte =
                &the_tape.records[i]
                     .bytes[mw_random_below(&random, (uint32_t)the_tape.records[i].length)];
            uint8_t before = *byte;
            mw_heap_image image;

            *byte = (uint8_t)mw_random_below(&random, 256);
            if (play(&the_tape, &image, mw_alloc_system()) == MW_OK)
                CHECK(mw_heap_image_is_consistent(&image));
            else
                refused++;
            mw_heap_image_done(&image);
            *byte = before;
        }
        rewind_tape(&the_tape);
    }
    CHECK(refused > 1000);
}

TEST(heap_image, a_lost_record_is_noticed)
{
    heap_model model = heap_model_random(5);
    mw_heap_image image;

    CHECK_OK(heap_model_write(&model, record, &the_tape, mw_alloc_system()));
    CHECK(the_tape.count > 2);
    free(the_tape.records[the_tape.count - 2].bytes);
    the_tape.records[the_tape.count - 2] = the_tape.records[the_tape.count - 1];
    the_tape.count--;
    CHECK_EQ(play(&the_tape, &image, mw_alloc_system()), MW_BAD_INPUT);
    mw_heap_image_done(&image);
    rewind_tape(&the_tape);
}

TEST(heap_encoder, refuses_references_that_were_not_announced)
{
    mw_heap_encoder encoder;
    mw_heap_summary summary = {0};

    CHECK_OK(mw_heap_encoder_init(&encoder, record, &the_tape, mw_alloc_system()));
    mw_heap_encoder_edge(&encoder, 1);
    CHECK_EQ(mw_heap_encoder_finish(&encoder, &summary), MW_BAD_INPUT);
    mw_heap_encoder_done(&encoder);
    rewind_tape(&the_tape);
}

/* Forms one after the other, more than a table has room for at first. */
static mw_status encode_forms(mw_alloc *alloc)
{
    mw_heap_encoder encoder;
    mw_status status = mw_heap_encoder_init(&encoder, record, &the_tape, alloc);

    if (status != MW_OK)
        return status;
    for (uint32_t type = 0; type < 100; type++) {
        const mw_heap_form form = {.type = type};

        mw_heap_encoder_form(&encoder, &form, NULL);
    }
    status = encoder.status;
    mw_heap_encoder_done(&encoder);
    return status;
}

TEST(heap_encoder, writes_no_form_where_there_is_no_room_for_it)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc alloc = mw_failing_alloc_at(nth);

        status = encode_forms(&alloc.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(alloc.live_blocks, 0);
    }
}

TEST(heap_image, returns_every_byte_whichever_allocation_fails)
{
    heap_model model = heap_model_random(3);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc alloc = mw_failing_alloc_at(nth);

        rewind_tape(&the_tape);
        status = heap_model_write(&model, record, &the_tape, &alloc.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(alloc.live_blocks, 0);
    }
    status = MW_NO_MEMORY;
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc alloc = mw_failing_alloc_at(nth);
        mw_heap_image image;

        status = play(&the_tape, &image, &alloc.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_heap_image_done(&image);
        CHECK_EQ(alloc.live_blocks, 0);
    }
    rewind_tape(&the_tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_image, reads_what_was_written),
        CASE(heap_image, an_object_with_many_references_is_spread_over_records),
        CASE(heap_image, no_cut_payload_leads_it_astray),
        CASE(heap_image, no_flipped_byte_leads_it_astray),
        CASE(heap_image, a_lost_record_is_noticed),
        CASE(heap_encoder, refuses_references_that_were_not_announced),
        CASE(heap_encoder, writes_no_form_where_there_is_no_room_for_it),
        CASE(heap_image, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
