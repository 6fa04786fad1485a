/* SPDX-License-Identifier: MIT
 *
 * What is filled in is read back, column by column.
 */
#include "render/page_heap.h"

#include "testing.h"

enum { ROWS = 300, FIELDS = 14 };

typedef struct byte_reader {
    const unsigned char *bytes;
    size_t length;
    size_t at;
} byte_reader;

static uint64_t take(byte_reader *reader)
{
    uint64_t number = 0;

    for (int shift = 0;; shift += 7) {
        CHECK(reader->at < reader->length);
        number |= (uint64_t)(reader->bytes[reader->at] & 127) << shift;
        if (reader->bytes[reader->at++] < 128)
            return number;
    }
}

static uint64_t take_change(byte_reader *reader)
{
    uint64_t number = take(reader);

    return number >> 1 ^ (0 - (number & 1));
}

/* A letter for each column, as docs/page.md has them: n for numbers, c for changes. */
static void take_columns(byte_reader *reader, const char *columns, uint64_t *ret_columns)
{
    uint64_t count = take(reader);

    for (size_t column = 0; columns[column] != '\0'; column++) {
        uint64_t last = 0;
        for (uint64_t i = 1; i < count; i++) {
            last = columns[column] == 'c' ? last + take_change(reader) : take(reader);
            ret_columns[column * (ROWS + 1) + i] = last;
        }
    }
}

static mw_page_object random_object(mw_random *random, uint32_t number)
{
    return (mw_page_object){
        .parent = mw_random_below(random, number),
        .kind = (mw_page_object_kind)mw_random_below(random, 3),
        .is_joint = mw_random_below(random, 2) == 1,
        .root = mw_random_below(random, 8),
        .type = mw_random_below(random, 3),
        .text = mw_random_below(random, 3),
        .edge = mw_random_below(random, 3),
        .way = mw_random_below(random, 3),
        .line = mw_random_below(random, 2),
        .id = UINT64_C(0x7f0000000000) + mw_random_below(random, 1u << 30),
        .count = 1 + mw_random_below(random, 9),
        .size = mw_random_below(random, 1u << 30),
        .objects = mw_random_below(random, 1000),
        .retained = (uint64_t)mw_random_below(random, 1u << 30) << 12,
    };
}

static mw_status fill(mw_page_heap *heap, mw_alloc *alloc)
{
    mw_random random = mw_random_of(1);
    mw_page_heap_line line = {.line = 7};
    uint32_t number;
    mw_status status = mw_page_heap_init(heap, alloc);

    if (status != MW_OK)
        return status;
    mw_sink_text(&heap->facts.sink, "{\"share\":50}");
    status = heap->facts.sink.status;
    if (status == MW_OK)
        status = mw_page_heap_string(heap, "dict", 4, &line.file);
    if (status == MW_OK)
        status = mw_page_heap_string(heap, "str", 3, &line.function);
    if (status == MW_OK)
        status = mw_page_heap_add_line(heap, &line, &number);
    for (uint32_t i = 1; i < ROWS && status == MW_OK; i++) {
        mw_page_object object = random_object(&random, i);
        mw_page_heap_row row = {1, 1, object.count, i, object.size, object.retained};
        status = mw_page_heap_add_object(heap, &object, &number);
        if (status == MW_OK)
            status = mw_page_heap_add_row(heap, (mw_page_heap_table)(i % 3), &row);
    }
    return status;
}

static void check_object(const mw_page_object *object, const uint32_t *frames,
                         const uint64_t *columns, uint32_t number)
{
    const uint64_t expected[FIELDS] = {
        object->parent, object->kind, object->is_joint, object->root,         object->type,
        object->text,   object->edge, object->way,      frames[object->line], object->id,
        object->count,  object->size, object->objects,  object->retained};

    for (int field = 0; field < FIELDS; field++)
        CHECK_EQ(columns[field * (ROWS + 1) + number], expected[field]);
}

static void check_table(byte_reader *reader, const mw_page_heap *heap, int number)
{
    static uint64_t columns[6 * (ROWS + 1)];

    CHECK_EQ(reader->bytes[reader->at] & 127, (heap->tables[number].count + 1) & 127);
    take_columns(reader, "ccnnnn", columns);
    for (uint32_t i = 0; i < heap->tables[number].count; i++) {
        const mw_page_heap_row *row = &heap->tables[number].rows[i];
        CHECK_EQ(columns[i + 1], row->name);
        CHECK_EQ(columns[ROWS + 1 + i + 1], row->line == 0 ? 0 : 42);
        CHECK_EQ(columns[2 * (ROWS + 1) + i + 1], row->count);
        CHECK_EQ(columns[3 * (ROWS + 1) + i + 1], row->references);
        CHECK_EQ(columns[4 * (ROWS + 1) + i + 1], row->size);
        CHECK_EQ(columns[5 * (ROWS + 1) + i + 1], row->retained);
    }
}

TEST(page_heap, is_read_back)
{
    static uint64_t columns[FIELDS * (ROWS + 1)];
    static const uint32_t frames[] = {0, 42};
    mw_page_heap heap;
    mw_buffer buffer;
    byte_reader reader;

    CHECK_OK(fill(&heap, mw_alloc_system()));
    mw_buffer_init(&buffer, mw_alloc_system());
    mw_page_heap_write(&heap, frames, &buffer.sink);
    CHECK_OK(buffer.sink.status);
    reader = (byte_reader){(const unsigned char *)buffer.bytes, buffer.length, 0};
    CHECK_EQ(take(&reader), strlen("{\"share\":50}"));
    CHECK_EQ(memcmp(reader.bytes + reader.at, "{\"share\":50}", 12), 0);
    reader.at += 12;
    CHECK_EQ(take(&reader), 3);
    CHECK_EQ(take(&reader), 0);
    CHECK_EQ(take(&reader), 4);
    CHECK_EQ(take(&reader), 3);
    CHECK_EQ(memcmp(reader.bytes + reader.at, "dictstr", 7), 0);
    reader.at += 7;
    take_columns(&reader, "cnnnccccccnncc", columns);
    for (uint32_t i = 1; i < heap.object_count; i++)
        check_object(&heap.objects[i], frames, columns, i);
    for (int i = 0; i < MW_PAGE_HEAP_TABLE_COUNT; i++)
        check_table(&reader, &heap, i);
    CHECK_EQ(reader.at, reader.length);
    mw_buffer_done(&buffer);
    mw_page_heap_done(&heap);
}

TEST(page_heap, returns_every_byte_whichever_allocation_fails)
{
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_page_heap heap = {0};
        mw_status status = fill(&heap, &failing.base);

        mw_page_heap_done(&heap);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(page_heap, is_read_back),
        CASE(page_heap, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
