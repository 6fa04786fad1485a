/* SPDX-License-Identifier: MIT
 *
 * The summary for a person at a terminal: the verdict first, then the numbers.
 */
#include "render/rows_text.h"
#include "render/screen.h"
#include "render/summary.h"

typedef struct text_writer {
    const mw_summary *summary;
    mw_verdict *verdict;
    mw_screen screen;
    mw_sink *sink; /* the screen's */
} text_writer;

static void write_head(const text_writer *writer, mw_alloc *alloc)
{
    const mw_summary *summary = writer->summary;
    mw_buffer verdict;

    mw_buffer_init(&verdict, alloc);
    mw_sink_text(&verdict.sink, "memwhy: ");
    mw_verdict_write(writer->verdict, summary, &verdict.sink);
    mw_screen_gathered(&writer->screen, &verdict, MW_STYLE_STRONG);
    mw_sink_format(writer->sink, "\nAlive at the end: %s in %s blocks; ",
                   mw_size_format(summary->current_bytes).text,
                   mw_count_format(writer->verdict->blames.live_blocks).text);
    mw_sink_format(writer->sink, "at the peak: %s.\n\n", mw_size_format(summary->peak_bytes).text);
}

/* ── the end ──────────────────────────────────────────────────────────────────────── */

/* What the tracer gave up to stay within its bound. */
static void write_degradation(const text_writer *writer)
{
    static const char *const given_up[] = {
        [MW_STAGE_CUT] = "the callers of new call paths",
        [MW_STAGE_COARSE] = "the callers of new call paths, and new functions",
        [MW_STAGE_LOSING] = "the callers of new call paths, new functions, and at last blocks",
    };
    const mw_summary *summary = writer->summary;

    if (summary->stage == MW_STAGE_FOLDED)
        mw_sink_text(writer->sink,
                     "To stay within its bound, memwhy folded the recursion of new call paths.\n");
    if (summary->stage > MW_STAGE_FOLDED)
        mw_sink_format(writer->sink,
                       "To stay within its bound, memwhy did not record %s: %s in %s blocks "
                       "have lost their callers.\n",
                       given_up[summary->stage], mw_size_format(summary->cut_bytes).text,
                       mw_count_format(summary->cut_blocks).text);
}

static void write_cost(const text_writer *writer)
{
    const mw_summary *summary = writer->summary;

    if (summary->lost_blocks != 0)
        mw_sink_format(
            writer->sink, "Missing above: %s in %s blocks, since %s.\n",
            mw_size_format(summary->lost_bytes).text, mw_count_format(summary->lost_blocks).text,
            summary->stage == MW_STAGE_LOSING ? "memwhy's bound was reached" : "memory ran out");
    write_degradation(writer);
    mw_sink_format(writer->sink, "memwhy itself took %s, %s of what the program had at its peak.\n",
                   mw_size_format(summary->overhead_bytes).text,
                   mw_share_format(summary->overhead_bytes, summary->peak_bytes).text);
}

mw_status mw_summary_write_text(const mw_summary *summary, mw_alloc *alloc, mw_sink *sink,
                                mw_error *reterr)
{
    mw_verdict verdict;
    text_writer writer = {.summary = summary,
                          .verdict = &verdict,
                          .screen = {.sink = sink,
                                     .places = summary->places,
                                     .source = summary->source,
                                     .width = summary->width,
                                     .has_colour = summary->has_colour},
                          .sink = sink};
    mw_rows_table table = {.rows = &verdict.rows, .blames = &verdict.blames, .top = summary->top};
    mw_status status = mw_verdict_init(&verdict, summary, alloc, reterr);

    if (status != MW_OK)
        return status;
    write_head(&writer, alloc);
    status = mw_rows_table_write(&table, &writer.screen, alloc);
    write_cost(&writer);
    mw_verdict_done(&verdict);
    if (status == MW_OK)
        status = sink->status;
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status, "the summary could not be written");
}
