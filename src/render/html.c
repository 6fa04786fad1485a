/* SPDX-License-Identifier: MIT
 *
 * One page that holds everything and asks nobody for anything: the template that web/
 * builds, with the data in the middle.
 */
#include "render/base64_sink.h"
#include "render/gzip_sink.h"
#include "render/page_data.h"
#include "render/page_template.h"
#include "render/renderer.h"

enum { DATA_BYTES_MAXIMUM = 4600 * 1000 }; /* so that the page stays below 5 MB */

static mw_status write_packed(mw_page_data *data, mw_buffer *buffer)
{
    mw_base64_sink base64;
    mw_gzip_sink *gzip;
    mw_status status;

    mw_base64_sink_init(&base64, &buffer->sink);
    status = mw_gzip_sink_new(&base64.sink, data->alloc, &gzip);
    if (status != MW_OK)
        return status;
    status = mw_page_data_write(data, mw_gzip_sink_sink(gzip));
    if (status == MW_OK)
        status = mw_gzip_sink_finish(gzip);
    if (status == MW_OK)
        status = mw_base64_sink_finish(&base64);
    mw_gzip_sink_free(gzip);
    return status;
}

/* With half as many snapshots to choose from, until it is small enough. */
static mw_status write_small(mw_page_data *data, mw_buffer *buffer)
{
    mw_status status;

    for (;;) {
        mw_buffer_init(buffer, data->alloc);
        status = write_packed(data, buffer);
        if (status != MW_OK || buffer->length <= DATA_BYTES_MAXIMUM || !mw_page_data_thin(data))
            return status;
        mw_buffer_done(buffer);
    }
}

static mw_status html_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    mw_page_data data;
    mw_buffer buffer = {0};
    mw_status status;

    if (mw_page_head_length == 0)
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "this memwhy has no page: node was missing when it was built");
    status = mw_page_data_init(&data, view, alloc);
    if (status == MW_OK)
        status = write_small(&data, &buffer);
    if (status == MW_OK) {
        mw_sink_bytes(sink, mw_page_head, mw_page_head_length);
        mw_sink_bytes(sink, buffer.bytes, buffer.length);
        mw_sink_bytes(sink, mw_page_tail, mw_page_tail_length);
    }
    mw_buffer_done(&buffer);
    mw_page_data_done(&data);
    return mw_renderer_result(status, sink, "the page", reterr);
}

const mw_renderer mw_renderer_html = {
    .name = "html",
    .extension = ".html",
    .summary = "a page to open in a browser: timeline, flame graph, table, source",
    .write = html_write,
};
