/* SPDX-License-Identifier: MIT
 *
 * `memwhy leaks` for a person at a terminal: the verdict, what it was made of, and then line
 * by line what becomes of its memory, and the evidence.
 */
#include "render/leaks.h"

#include "base/quantity.h"
#include "render/rows_text.h"
#include "render/screen.h"

#include <math.h>
#include <string.h>

#define HOUR_NS 3.6e12

enum {
    INDENT = 21,     /* the longest verdict, and two blanks   */
    ALONG_NAMED = 3, /* of the lines that grow along the most */
};

typedef struct leaks_writer {
    const mw_leaks *leaks;
    mw_screen screen;
    mw_sink *sink; /* the screen's */
    uint32_t top;
    mw_alloc *alloc;
} leaks_writer;

static mw_size_text size_of(double bytes)
{
    return mw_size_format((uint64_t)fmax(0, bytes));
}

/* ── text that is gathered, wrapped and indented ─────────────────────────────────── */

static void write_indented(const leaks_writer *writer, mw_buffer *text)
{
    const char *at = text->bytes == NULL ? "" : text->bytes;
    uint32_t column = 0;

    for (size_t length; *at != '\0'; at += length + (at[length] == ' ')) {
        uint32_t columns;

        length = strcspn(at, " ");
        columns = mw_clean_columns(at, length);
        if (column == 0 || column + 1 + columns > writer->screen.width) {
            mw_sink_text(writer->sink, column == 0 ? "" : "\n");
            mw_sink_repeat(writer->sink, ' ', INDENT);
            column = INDENT;
        } else {
            mw_sink_text(writer->sink, " ");
            column++;
        }
        mw_sink_bytes(writer->sink, at, length);
        column += columns;
    }
    mw_sink_text(writer->sink, "\n");
    if (writer->sink->status == MW_OK)
        writer->sink->status = text->sink.status;
    mw_buffer_done(text);
}

/* ── the head ────────────────────────────────────────────────────────────────────── */

static void write_head(const leaks_writer *writer)
{
    const mw_leaks *leaks = writer->leaks;
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    mw_sink_text(&text.sink, "memwhy: ");
    mw_leaks_write_verdict(leaks, &text.sink);
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_STRONG);
    mw_sink_text(writer->sink, "\n");

    mw_buffer_init(&text, writer->alloc);
    mw_sink_format(&text.sink, "%u snapshot%s over %s; at the last one %s", leaks->histories->count,
                   leaks->histories->count == 1 ? "" : "s",
                   mw_duration_format((uint64_t)(leaks->hours * HOUR_NS)).text,
                   size_of((double)mw_snapshot_live_bytes(leaks->groups->snapshot)).text);
    mw_sink_format(&text.sink, " alive, %s resident", size_of((double)leaks->rss_bytes).text);
    if (leaks->limit_bytes != 0)
        mw_sink_format(&text.sink, " of at most %s", mw_size_format(leaks->limit_bytes).text);
    mw_sink_text(&text.sink, ".");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

/* ── a row ───────────────────────────────────────────────────────────────────────── */

static void say_slowing(const mw_leak_finding *finding, mw_sink *sink)
{
    mw_sink_format(sink, "the later half of the time added %.0f%% of what the earlier one did",
                   100 * finding->pace);
    if (finding->ends_at_bytes > 0)
        mw_sink_format(sink, ", so it ends near %s", size_of(finding->ends_at_bytes).text);
}

static void say_reason(const mw_leak_finding *finding, mw_sink *sink)
{
    static const char *const sentences[] = {
        [MW_REASON_MELTS] = "it grows, but more old blocks go than stay",
        [MW_REASON_FEW_MOMENTS] = "there are too few snapshots",
        [MW_REASON_FELL] = "it grows, but fell from as much before",
        [MW_REASON_STOPPED] = "it has not grown any more",
        [MW_REASON_BOUND] = "since it is full, as much goes as comes",
        [MW_REASON_EARLY] = "from the first quarter of the time, and still there",
        [MW_REASON_REPLACED] = "what is alive is new, and the old is gone",
        [MW_REASON_SMALL] = "it has not grown by a page",
    };

    switch (finding->reason) {
    case MW_REASON_KEPT:
    case MW_REASON_RESIZED:
        mw_leaks_write_evidence(finding, sink);
        break;
    case MW_REASON_SLOWS:
        say_slowing(finding, sink);
        break;
    case MW_REASON_FEW_STEPS:
        mw_sink_text(sink, "it grows, but has done so in too few steps to see a pace");
        break;
    default:
        mw_sink_text(sink, sentences[finding->reason]);
        break;
    }
}

static bool is_growing(const mw_leak_finding *finding)
{
    return finding->verdict <= MW_VERDICT_UNDECIDED && finding->rate.slope > 0;
}

static void write_evidence(const leaks_writer *writer, const mw_leak_row *row)
{
    const mw_leak_finding *finding = &row->finding;
    double since = writer->leaks->histories->times[finding->since];
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    if (is_growing(finding)) {
        mw_leaks_write_rate(&finding->rate, &text.sink);
        if (finding->verdict == MW_VERDICT_LEAK && finding->since > 0)
            mw_sink_format(&text.sink, " since %s",
                           mw_duration_format((uint64_t)(since * HOUR_NS)).text);
        mw_sink_format(&text.sink, ", %.1f%% of what %s", 100 * row->share,
                       finding->verdict == MW_VERDICT_LEAK ? "leaks" : "grows");
        mw_sink_text(&text.sink, "; ");
    }
    mw_sink_format(&text.sink, "%s alive; ", size_of(finding->live_bytes).text);
    say_reason(finding, &text.sink);
    mw_sink_text(&text.sink, ".");
    write_indented(writer, &text);
}

static bool is_same_line(const mw_snapshot *snapshot, mw_frame a, mw_frame b)
{
    mw_frame_row left = mw_snapshot_frame(snapshot, a), right = mw_snapshot_frame(snapshot, b);

    return left.file.index == right.file.index && left.line == right.line;
}

static void write_allocator(const leaks_writer *writer, const mw_leak_group *group)
{
    static const char lead[] = "allocated in ";
    const mw_snapshot *snapshot = writer->leaks->groups->snapshot;

    if (is_same_line(snapshot, group->frame, group->innermost))
        return;
    mw_sink_repeat(writer->sink, ' ', INDENT);
    mw_sink_text(writer->sink, lead);
    mw_screen_place(&writer->screen, snapshot, mw_snapshot_frame(snapshot, group->innermost),
                    writer->screen.width - INDENT - (uint32_t)strlen(lead));
    mw_sink_text(writer->sink, "\n");
}

static void write_verdict_name(const leaks_writer *writer, const mw_leak_row *row)
{
    const char *name = mw_leak_row_verdict(row);
    bool is_loud = row->finding.verdict == MW_VERDICT_LEAK;

    if (is_loud)
        mw_screen_style(&writer->screen, MW_STYLE_MORE);
    mw_sink_text(writer->sink, name);
    if (is_loud)
        mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
    mw_sink_repeat(writer->sink, ' ', INDENT - (uint32_t)strlen(name));
}

static mw_status write_row(const leaks_writer *writer, const mw_leak_row *row)
{
    const mw_leaks *leaks = writer->leaks;
    const mw_leak_group *group = &leaks->groups->items[row->group];
    const mw_snapshot *snapshot = leaks->groups->snapshot;
    mw_frame_row frame = mw_snapshot_frame(snapshot, group->frame);
    mw_status status = MW_OK;

    write_verdict_name(writer, row);
    if (leaks->groups->by == MW_GROUP_FILE || leaks->groups->by == MW_GROUP_FUNCTION)
        frame.line = 0;
    if (leaks->groups->by == MW_GROUP_FILE)
        frame.function.index = 0;
    mw_row_write_label(&writer->screen,
                       leaks->groups->by == MW_GROUP_TRACEBACK ? MW_GROUP_LINE : leaks->groups->by,
                       &group->row, frame, writer->screen.width - INDENT);
    mw_sink_text(writer->sink, "\n");
    if (leaks->groups->by == MW_GROUP_LINE) {
        mw_screen_source(&writer->screen, snapshot, frame, INDENT);
        write_allocator(writer, group);
    }
    write_evidence(writer, row);
    if (leaks->groups->by == MW_GROUP_TRACEBACK)
        status =
            mw_screen_traceback(&writer->screen, snapshot, group->row.traceback, writer->alloc);
    return status;
}

/* ── the rows ────────────────────────────────────────────────────────────────────── */

/* Rows of nothing tell nothing; those of what goes along are summed up. */
static bool is_worth_a_row(const mw_leak_row *row)
{
    return !row->goes_along && row->finding.reason != MW_REASON_SMALL &&
           row->finding.live_bytes > 0;
}

/* "Along with it 12 more lines grow, by 157 MiB per hour; most of it comes from …" */
static void write_along(const leaks_writer *writer)
{
    const mw_leaks *leaks = writer->leaks;
    uint32_t named = leaks->along_count < ALONG_NAMED ? leaks->along_count : ALONG_NAMED;
    mw_buffer text;

    if (leaks->along_count == 0)
        return;
    mw_buffer_init(&text, writer->alloc);
    mw_sink_format(&text.sink, "Along with %s %s more %s%s",
                   leaks->counts[MW_VERDICT_LEAK] == 1 ? "it" : "them",
                   mw_count_format(leaks->along_count).text, mw_leaks_noun(leaks),
                   leaks->along_count == 1 ? " grows, by " : "s grow, by ");
    mw_leaks_write_rate(&leaks->along_rate, &text.sink);
    mw_sink_text(&text.sink, leaks->along_count == 1 ? ": " : ", most of it from ");
    for (uint32_t i = 0; i < named; i++) {
        mw_sink_text(&text.sink, i == 0 ? "" : i + 1 == named ? " and " : ", ");
        mw_leaks_write_place(leaks, &leaks->rows[leaks->row_count - leaks->along_count + i],
                             &text.sink);
    }
    mw_sink_text(&text.sink, ".");
    mw_sink_text(writer->sink, "\n");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

static void write_others(const leaks_writer *writer, const uint32_t left[MW_VERDICT_COUNT])
{
    static const char *const phrases[MW_VERDICT_COUNT] = {
        [MW_VERDICT_LEAK] = "leak",         [MW_VERDICT_FILLING] = "still fill",
        [MW_VERDICT_UNDECIDED] = "unclear", [MW_VERDICT_LEVELS_OFF] = "level off",
        [MW_VERDICT_ONE_TIME] = "one-time", [MW_VERDICT_STEADY] = "steady",
    };
    const mw_leak_groups *groups = writer->leaks->groups;
    const char *gap = "Not shown: ";
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    for (int verdict = 0; verdict < MW_VERDICT_COUNT; verdict++) {
        if (left[verdict] == 0)
            continue;
        mw_sink_format(&text.sink, "%s%s %s", gap, mw_count_format(left[verdict]).text,
                       phrases[verdict]);
        gap = ", ";
    }
    if (groups->left_out != 0)
        mw_sink_format(&text.sink, "%s%s that hold less than all of these", gap,
                       mw_count_format(groups->left_out).text);
    if (text.bytes == NULL)
        return;
    mw_sink_text(&text.sink, ".");
    mw_sink_text(writer->sink, "\n");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

static mw_status write_rows(const leaks_writer *writer)
{
    const mw_leaks *leaks = writer->leaks;
    uint32_t left[MW_VERDICT_COUNT] = {0}, shown = 0;

    for (uint32_t i = 0; i < leaks->row_count; i++) {
        const mw_leak_row *row = &leaks->rows[i];
        mw_status status;

        if (!mw_leaks_has_enough(leaks))
            return MW_OK;
        if (shown == writer->top || !is_worth_a_row(row)) {
            left[row->finding.verdict] += !row->goes_along;
            continue;
        }
        if (shown++ == 0)
            mw_sink_text(writer->sink, "\n");
        status = write_row(writer, row);
        if (status != MW_OK)
            return status;
    }
    write_along(writer);
    write_others(writer, left);
    return MW_OK;
}

mw_status mw_leaks_write_text(const mw_leaks *leaks, const mw_leaks_page *page, mw_alloc *alloc,
                              mw_sink *sink, mw_error *reterr)
{
    leaks_writer writer = {.leaks = leaks,
                           .screen = {.sink = sink,
                                      .places = leaks->places,
                                      .source = page->source,
                                      .width = page->width,
                                      .has_colour = page->has_colour},
                           .sink = sink,
                           .top = page->top,
                           .alloc = alloc};
    mw_status status;

    write_head(&writer);
    status = write_rows(&writer);
    if (status == MW_OK)
        status = sink->status;
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status, "the verdict could not be written");
}
