/* SPDX-License-Identifier: MIT */
#include "cli/heap_pages.h"

#include "cli/terminal.h"
#include "heap/captured_heap.h"
#include "heap/heap_page.h"

static mw_status make_page(mw_page_heap *page, mw_captured_heap *heap,
                           const mw_heap_page_options *options, mw_alloc *alloc)
{
    mw_heap_study study;
    mw_status status = mw_heap_study_init(&study, &heap->view, alloc);

    if (status != MW_OK)
        return status;
    status = mw_heap_page_init(page, &study, options, alloc);
    mw_heap_study_done(&study);
    return status;
}

/* Several have to share the rows that a page has room for. */
static mw_status add_page(mw_heap_pages *pages, const mw_subject *subject, uint32_t number,
                          uint32_t wanted, mw_alloc *alloc, mw_error *reterr)
{
    mw_capture *capture = subject->capture;
    mw_heap_page_options options = {
        .has_time = true,
        .time_ns = mw_capture_heap_facts_of(capture, number)->time_ns,
        .row_maximum = MW_HEAP_PAGE_ROWS / wanted,
        .places = &subject->places,
    };
    mw_page_heap *page = &pages->heaps[pages->count];
    mw_captured_heap heap;
    mw_status status = mw_captured_heap_init(&heap, capture, number, alloc, reterr);

    if (status != MW_OK)
        return status;
    status = make_page(page, &heap, &options, alloc);
    mw_captured_heap_done(&heap);
    if (status != MW_OK)
        return mw_error_set(reterr, status,
                            status == MW_NO_MEMORY
                                ? "there is not enough memory for the objects of the capture"
                                : "the objects of the capture cannot be analysed");
    pages->items[pages->count++] = page;
    return MW_OK;
}

mw_status mw_heap_pages_init(mw_heap_pages *ret_pages, const mw_subject *subject, mw_alloc *alloc,
                             mw_error *reterr)
{
    uint32_t all = mw_capture_heap_count(subject->capture);
    uint32_t wanted = all < MW_PAGE_HEAP_MAXIMUM ? all : MW_PAGE_HEAP_MAXIMUM;
    mw_status status = MW_OK;

    *ret_pages = (mw_heap_pages){0};
    mw_progress_begin("looking at the objects");
    for (uint32_t i = 0; i < wanted && status == MW_OK; i++)
        status = add_page(ret_pages, subject, all - 1 - i, wanted, alloc, reterr);
    mw_progress_end();
    if (status != MW_OK)
        mw_heap_pages_done(ret_pages);
    return status;
}

void mw_heap_pages_done(mw_heap_pages *pages)
{
    for (uint32_t i = 0; i < pages->count; i++)
        mw_page_heap_done(&pages->heaps[i]);
    pages->count = 0;
}
