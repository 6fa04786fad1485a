/* SPDX-License-Identifier: MIT
 *
 * The nodes of a call tree stand in the order in which they are read, so one loop goes over
 * them with a stack of the entries that are open, and small branches are left out by jumping
 * to where they end.  Brothers stand in the order of their size: behind the first one that is
 * too small, all are.  A chain of calls may leave out small branches itself, as long as all
 * of them together are small.
 */
#include "render/tree_text.h"

#include "render/call_tree.h"

#include <string.h>

enum {
    SIZE_COLUMNS = 18,          /* size and share, with the gap behind them         */
    CHANGE_COLUMNS = 22,        /* change and size, likewise                        */
    LEVEL_COLUMNS = 2,          /* by which an entry stands to the right of another */
    PLACE_COLUMNS_MINIMUM = 36, /* deeper entries are not moved further to the right */
    CHAIN_SHOWN_MAXIMUM = 5,    /* calls of a longer chain are left out ...          */
    CHAIN_ENDS_SHOWN = 2,       /* ... but for so many at either end                 */
    INVERTED_DEPTH_MAXIMUM = 64,
};

/* An entry whose callees are being written. */
typedef struct open_entry {
    uint32_t end;    /* of those callees                                         */
    uint32_t resume; /* the node behind it, past the small ones of its chain     */
    bool has_later;  /* a brother stands below it, so that a line leads past it */
} open_entry;

typedef struct tree_writer {
    const mw_tree_form *form;
    const mw_screen *screen;
    mw_sink *sink; /* the screen's */
    mw_alloc *alloc;
    uint32_t numbers_columns;
    mw_call_tree tree;
    open_entry *open; /* owned; the outermost first */
    uint32_t open_count;
    uint32_t open_capacity;
} tree_writer;

/* ── what is left out ────────────────────────────────────────────────────────────── */

/* What a node is sorted by: what it has, or how much of it changed. */
static uint64_t weight(const tree_writer *writer, uint32_t node)
{
    const mw_call_tree *tree = &writer->tree;

    return tree->changed != NULL ? tree->changed[node] : tree->nodes[node].now.bytes;
}

static bool is_small(const tree_writer *writer, uint64_t part)
{
    return (double)part * 100 < (double)weight(writer, 0) * writer->form->share_minimum;
}

/* Whether anything was allocated, or changed, in the node itself. */
static bool has_own(const tree_writer *writer, uint32_t node)
{
    const mw_call_node *row = &writer->tree.nodes[node];

    if (writer->tree.changed == NULL)
        return row->now.self_blocks != 0;
    return row->now.self_bytes != writer->tree.before[node].self_bytes;
}

/* Whether all that [head] has, but for what is small, is of the largest call below [node]. */
static bool continues(const tree_writer *writer, uint32_t head, uint32_t node)
{
    const mw_call_node *nodes = writer->tree.nodes;

    if (node + 1 >= nodes[node].end)
        return false;
    if (nodes[node + 1].end == nodes[node].end && !has_own(writer, node))
        return true;
    return is_small(writer, weight(writer, head) - weight(writer, node + 1));
}

/* The last node of the chain of calls that begins at [node]. */
static uint32_t chain_end(const tree_writer *writer, uint32_t node)
{
    uint32_t head = node;

    while (continues(writer, head, node))
        node++;
    return node;
}

/* ── lines ───────────────────────────────────────────────────────────────────────── */

/* How many of the outer levels do not fit, and are left out of the drawing. */
static uint32_t levels_left_out(const tree_writer *writer)
{
    uint32_t room =
        (writer->screen->width - writer->numbers_columns - PLACE_COLUMNS_MINIMUM) / LEVEL_COLUMNS;

    return writer->open_count > room ? writer->open_count - room : 0;
}

static uint32_t place_columns(const tree_writer *writer)
{
    return writer->screen->width - writer->numbers_columns -
           (writer->open_count - levels_left_out(writer)) * LEVEL_COLUMNS;
}

/* The lines that lead to entries below; then [mark], where the entry itself is not one of
 * the outermost. */
static void write_branches(const tree_writer *writer, const char *mark)
{
    uint32_t first = levels_left_out(writer);

    mw_screen_style(writer->screen, MW_STYLE_FAINT);
    for (uint32_t i = first + 1; i < writer->open_count; i++)
        mw_sink_text(writer->sink, writer->open[i].has_later ? "│ " : "  ");
    if (writer->open_count != 0)
        mw_sink_text(writer->sink, mark);
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
}

static void write_numbers(const tree_writer *writer, uint64_t bytes)
{
    mw_sink_format(writer->sink, "%9s %6s  ", mw_size_format(bytes).text,
                   mw_share_format(bytes, writer->tree.nodes[0].now.bytes).text);
}

static void write_change(const tree_writer *writer, uint64_t bytes, uint64_t before)
{
    mw_style style = bytes > before   ? MW_STYLE_MORE
                     : bytes < before ? MW_STYLE_LESS
                                      : MW_STYLE_PLAIN;

    mw_screen_style(writer->screen, style);
    mw_sink_format(writer->sink, "%10s", mw_change_format(before, bytes).text);
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
    mw_sink_format(writer->sink, " %9s  ", mw_size_format(bytes).text);
}

static void write_numbers_of(const tree_writer *writer, uint32_t node)
{
    const mw_call_tree *tree = &writer->tree;

    if (tree->changed != NULL)
        write_change(writer, tree->nodes[node].now.bytes, tree->before[node].bytes);
    else
        write_numbers(writer, tree->nodes[node].now.bytes);
}

static void write_frame(const tree_writer *writer, uint32_t node, uint32_t columns)
{
    const mw_call_frame *frame = &writer->tree.frames[writer->tree.nodes[node].frame];

    mw_screen_place(writer->screen, frame->snapshot, frame->row, columns);
}

static void write_call(const tree_writer *writer, uint32_t node, bool has_later)
{
    mw_sink_repeat(writer->sink, ' ', writer->numbers_columns);
    write_branches(writer, has_later ? "│ " : "  ");
    write_frame(writer, node, place_columns(writer));
    mw_sink_text(writer->sink, "\n");
}

static void write_calls_left_out(const tree_writer *writer, uint32_t count, bool has_later)
{
    mw_sink_repeat(writer->sink, ' ', writer->numbers_columns);
    write_branches(writer, has_later ? "│ " : "  ");
    mw_screen_style(writer->screen, MW_STYLE_FAINT);
    mw_sink_format(writer->sink, "… %s more calls\n", mw_count_format(count).text);
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
}

/* What of [node] is its own: what it has, or how much of it changed. */
static uint64_t own_weight(const tree_writer *writer, uint32_t node)
{
    uint64_t now = writer->tree.nodes[node].now.self_bytes;
    uint64_t before;

    if (writer->tree.changed == NULL)
        return now;
    before = writer->tree.before[node].self_bytes;
    return now > before ? now - before : before - now;
}

/* What the entry's last line allocated itself, where it also called others. */
static void write_own(const tree_writer *writer, uint32_t node, bool has_later)
{
    const mw_call_node *row = &writer->tree.nodes[node];
    uint64_t own = own_weight(writer, node);

    if (own == 0 || node + 1 == row->end || is_small(writer, own))
        return;
    if (writer->tree.changed != NULL)
        write_change(writer, row->now.self_bytes, writer->tree.before[node].self_bytes);
    else
        write_numbers(writer, own);
    write_branches(writer, has_later ? "│ " : "  ");
    mw_screen_style(writer->screen, MW_STYLE_FAINT);
    mw_sink_format(writer->sink, "  of it %s\n",
                   writer->form->is_inverted ? "without a further caller" : "right here");
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
}

/* The nodes from [first] to [last], each the only one that the one before calls. */
static void write_entry(const tree_writer *writer, uint32_t first, uint32_t last, bool has_later)
{
    uint32_t count = last - first + 1;
    bool is_cut = count > CHAIN_SHOWN_MAXIMUM;

    write_numbers_of(writer, first);
    write_branches(writer, has_later ? "├ " : "└ ");
    write_frame(writer, first, place_columns(writer));
    mw_sink_text(writer->sink, "\n");
    for (uint32_t i = 1; i < count; i++) {
        if (is_cut && i == CHAIN_ENDS_SHOWN)
            write_calls_left_out(writer, count - 2 * CHAIN_ENDS_SHOWN, has_later);
        if (!is_cut || i < CHAIN_ENDS_SHOWN || i >= count - CHAIN_ENDS_SHOWN)
            write_call(writer, first + i, has_later);
    }
    write_own(writer, last, has_later);
}

/* Whether anything is written below [node] on its level.  Of a difference brothers that did not
 * change are the last ones, and are not written. */
static bool has_later_brother(const tree_writer *writer, uint32_t node)
{
    const mw_call_tree *tree = &writer->tree;
    uint32_t next = tree->nodes[node].end;

    return next < tree->nodes[tree->nodes[node].caller].end &&
           (tree->changed == NULL || tree->changed[next] != 0);
}

/* Sums [node] and its smaller brothers; returns the node behind them.  Of a difference those
 * that did not change are not counted. */
static uint32_t write_small(const tree_writer *writer, uint32_t node)
{
    const mw_call_tree *tree = &writer->tree;
    uint32_t end = tree->nodes[tree->nodes[node].caller].end; /* of its brothers */
    uint64_t bytes = 0, before = 0;
    uint32_t count = 0;

    for (; node < end; node = tree->nodes[node].end) {
        if (tree->changed != NULL && tree->changed[node] == 0)
            continue;
        bytes += tree->nodes[node].now.bytes;
        before += tree->before != NULL ? tree->before[node].bytes : 0;
        count++;
    }
    if (count == 0)
        return end;
    if (tree->changed != NULL)
        write_change(writer, bytes, before);
    else
        write_numbers(writer, bytes);
    write_branches(writer, "└ ");
    mw_sink_format(writer->sink, "… %s more\n", mw_count_format(count).text);
    return end;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static mw_status open_entry_of(tree_writer *writer, open_entry entry)
{
    mw_status status = mw_alloc_grow(writer->alloc, &writer->open, writer->open_count,
                                     &writer->open_capacity, sizeof *writer->open, UINT32_MAX);

    if (status == MW_OK)
        writer->open[writer->open_count++] = entry;
    return status;
}

/* Closes the entries that end before [node]; returns the node that comes next. */
static uint32_t close_entries(tree_writer *writer, uint32_t node)
{
    while (writer->open_count != 0 && node >= writer->open[writer->open_count - 1].end) {
        const open_entry *entry = &writer->open[--writer->open_count];
        if (node < entry->resume)
            node = entry->resume;
    }
    return node;
}

static bool is_deepest(const tree_writer *writer)
{
    return writer->form->depth_maximum != 0 &&
           writer->open_count + 1 >= writer->form->depth_maximum;
}

/* Writes the entry that begins at [node]; moves [*node] to what comes next. */
static mw_status step(tree_writer *writer, uint32_t *node)
{
    const mw_call_node *nodes = writer->tree.nodes;
    uint32_t first = *node;
    uint32_t last;
    bool has_later;

    if (is_small(writer, weight(writer, first)) || weight(writer, first) == 0) {
        *node = write_small(writer, first);
        return MW_OK;
    }
    last = chain_end(writer, first);
    has_later = has_later_brother(writer, first);
    write_entry(writer, first, last, has_later);
    if (is_deepest(writer) || last + 1 == nodes[last].end) {
        *node = nodes[first].end;
        return MW_OK;
    }
    *node = last + 1;
    return open_entry_of(writer, (open_entry){nodes[last].end, nodes[first].end, has_later});
}

static void tree_writer_done(tree_writer *writer)
{
    mw_call_tree_done(&writer->tree);
    if (writer->open != NULL)
        mw_alloc_release(writer->alloc, writer->open, writer->open_capacity * sizeof *writer->open);
}

static mw_status fail(mw_status status, mw_error *reterr)
{
    return mw_error_set(reterr, status,
                        status == MW_LIMIT
                            ? "the call tree has too many nodes; leave something out, or give it "
                              "a --depth"
                            : "there is not enough memory for a call tree");
}

static void write_head(const tree_writer *writer)
{
    const char *what =
        writer->form->is_inverted ? "what allocated, and its callers below" : "call tree";

    if (writer->tree.changed != NULL)
        mw_sink_format(writer->sink, "%10s %9s  %s\n", "change", "new", what);
    else
        mw_sink_format(writer->sink, "%9s %6s  %s\n", "size", "share", what);
}

mw_status mw_tree_write_text(const mw_tree_form *form, const mw_snapshot *snapshot,
                             const mw_snapshot *older, const mw_screen *screen, mw_alloc *alloc,
                             mw_error *reterr)
{
    tree_writer writer = {.form = form,
                          .screen = screen,
                          .sink = screen->sink,
                          .alloc = alloc,
                          .numbers_columns = older != NULL ? CHANGE_COLUMNS : SIZE_COLUMNS};
    mw_call_options options = {
        .is_inverted = form->is_inverted, .folds_recursion = true, .sorts_by_change = true};
    bool has_any;
    mw_status status;

    if (form->is_inverted)
        options.depth_maximum =
            form->depth_maximum != 0 ? form->depth_maximum : INVERTED_DEPTH_MAXIMUM;
    status = mw_call_tree_init(&writer.tree, snapshot, older, &options, alloc);
    if (status != MW_OK)
        return fail(status, reterr);
    has_any = writer.tree.node_count > 1 && (older == NULL || writer.tree.changed[0] != 0);
    if (has_any)
        write_head(&writer);
    for (uint32_t node = 1; has_any && node < writer.tree.node_count && status == MW_OK;) {
        status = step(&writer, &node);
        node = close_entries(&writer, node);
    }
    if (has_any)
        mw_sink_text(writer.sink, "\n");
    tree_writer_done(&writer);
    return status == MW_OK ? MW_OK : fail(status, reterr);
}
