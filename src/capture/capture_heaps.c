/* SPDX-License-Identifier: MIT
 *
 * The heaps of a capture: where they are is found out when the capture is opened; what is in one
 * is read, and checked, when somebody asks for it.
 */
#include "capture/capture_tables.h"
#include "capture/heap_image.h"

enum { HEAP_MAXIMUM = UINT32_MAX - 1 };

/* ── in the check ────────────────────────────────────────────────────────────────── */

static mw_status note_nodes(mw_located_heap *heap, const mw_located_record *located,
                            mw_cursor payload)
{
    uint64_t flags = mw_cursor_varint(&payload);

    if (payload.is_bad || flags > MW_HEAP_NODES_FLAGS)
        return MW_BAD_INPUT;
    if ((flags & MW_HEAP_ANEW) != 0)
        *heap = (mw_located_heap){.offset = located->offset};
    else if (heap->record_count == 0)
        return MW_BAD_INPUT;
    heap->record_count++;
    return MW_OK;
}

static mw_status note_heap(mw_capture *capture, mw_cursor payload)
{
    mw_located_heap heap = capture->unfinished_heap;
    uint64_t count = mw_cursor_varint(&payload);
    mw_status status;

    capture->unfinished_heap = (mw_located_heap){0};
    if (heap.record_count == 0 || count < MW_HEAP_NUMBERS)
        return MW_BAD_INPUT;
    heap.record_count++;
    heap.facts.time_ns = mw_cursor_varint(&payload);
    heap.facts.objects = mw_cursor_varint(&payload);
    heap.facts.references = mw_cursor_varint(&payload);
    if (payload.is_bad)
        return MW_BAD_INPUT;
    status = mw_alloc_grow(capture->alloc, &capture->heaps, capture->heap_count,
                           &capture->heap_capacity, sizeof *capture->heaps, HEAP_MAXIMUM);
    if (status == MW_OK)
        capture->heaps[capture->heap_count++] = heap;
    return status;
}

mw_status mw_capture_note_record(mw_capture *capture, const mw_located_record *located,
                                 mw_cursor payload)
{
    switch (located->record.type) {
    case MW_RECORD_HEAP_NODES:
        return note_nodes(&capture->unfinished_heap, located, payload);
    case MW_RECORD_HEAP:
        return note_heap(capture, payload);
    default:
        capture->unfinished_heap = (mw_located_heap){0};
        return MW_OK;
    }
}

/* ── afterwards ──────────────────────────────────────────────────────────────────── */

uint32_t mw_capture_heap_count(const mw_capture *capture)
{
    return capture->heap_count;
}

const mw_capture_heap_facts *mw_capture_heap_facts_of(const mw_capture *capture, uint32_t number)
{
    return &capture->heaps[number].facts;
}

static mw_status explain(const mw_capture *capture, uint32_t number, const mw_heap_image *image,
                         mw_status status, mw_error *reterr)
{
    const char *name = capture->file.name;

    if (status == MW_NO_MEMORY)
        return mw_error_set(reterr, status, "%s: out of memory while reading heap %u.", name,
                            number);
    if (status == MW_LIMIT)
        return mw_error_set(reterr, status, "%s: heap %u holds more than memwhy can count.", name,
                            number);
    return mw_error_set(reterr, status, "%s: heap %u is damaged: %s.", name, number,
                        image->complaint != NULL ? image->complaint : "it is not in its form");
}

static mw_status take_record(mw_heap_image *image, const mw_located_record *located,
                             mw_cursor payload, bool is_last)
{
    if (located->record.type != (is_last ? MW_RECORD_HEAP : MW_RECORD_HEAP_NODES))
        return MW_BAD_INPUT;
    return is_last ? mw_heap_image_take_heap(image, payload)
                   : mw_heap_image_take_nodes(image, payload);
}

static mw_status read_records(mw_capture *capture, uint32_t number, mw_heap_image *image,
                              mw_error *reterr)
{
    const mw_located_heap *heap = &capture->heaps[number];
    uint64_t offset = heap->offset;

    for (uint32_t i = 0; i < heap->record_count; i++) {
        mw_located_record located;
        mw_record_state state;
        mw_cursor payload;
        mw_status status =
            mw_capture_file_read(&capture->file, offset, &state, &located, &payload, reterr);

        if (status != MW_OK)
            return status;
        if (state != MW_RECORD_WHOLE)
            return mw_error_set(reterr, MW_IO, "%s: was changed while it was being read.",
                                capture->file.name);
        status = take_record(image, &located, payload, i + 1 == heap->record_count);
        if (status != MW_OK)
            return explain(capture, number, image, status, reterr);
        offset += MW_RECORD_HEADER_BYTES + (uint64_t)located.record.stored_length;
    }
    return MW_OK;
}

mw_status mw_capture_heap(mw_capture *capture, uint32_t number, mw_alloc *alloc,
                          mw_heap_image *ret_image, mw_error *reterr)
{
    mw_status status;

    if (number >= capture->heap_count)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: has no heap %u, but %u of them.",
                            capture->file.name, number, capture->heap_count);
    status = mw_heap_image_init(ret_image, alloc);
    if (status != MW_OK)
        return explain(capture, number, ret_image, status, reterr);
    status = read_records(capture, number, ret_image, reterr);
    if (status != MW_OK)
        mw_heap_image_done(ret_image);
    return status;
}
