/* SPDX-License-Identifier: MIT
 *
 * The call graph for graphviz: a node per function, an edge per pair of caller and callee,
 * each with what was allocated there and below.  Only the largest functions are drawn, and
 * the graph's title says how many are not; where functions between two drawn ones are left
 * out, a dashed edge leads over them.  Of the edges, too, the largest are drawn.  Exact numbers are attributes that graphviz hands
 * through: bytes, self_bytes, and what they were before.
 *
 * The tree below has folded recursion, so a function is on no stack twice and its sum over
 * the tree counts every block once.
 */
#include "render/call_tree.h"
#include "render/frame_names.h"
#include "render/renderer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FUNCTIONS_MAXIMUM = 60, /* more than fits on a page, less than nobody reads */
    EDGES_MAXIMUM = 120,    /* graphviz takes minutes for a tangle                      */
    LABEL_COLUMNS = 48,
    FONT_POINTS = 9,
    FONT_POINTS_SELF = 18, /* added for a function that holds everything */
    PEN_POINTS = 6,
};

/* One function. */
typedef struct dot_function {
    mw_call_sums now;
    mw_call_sums before;
    uint32_t frame;
} dot_function;

/* From a drawn function to a drawn function. */
typedef struct dot_edge {
    uint32_t caller; /* frames */
    uint32_t callee;
    bool leads_over; /* functions that are not drawn */
    uint64_t bytes;
    uint64_t bytes_before;
} dot_edge;

typedef struct dot_graph {
    mw_alloc *alloc;
    const mw_view *view;
    const mw_call_tree *tree;
    dot_function *functions; /* owned; sorted, the largest first; room for each frame       */
    uint32_t function_count;
    uint32_t drawn_count; /* the first of them are drawn                                 */
    bool *is_drawn;       /* owned; by frame                                             */
    uint32_t *nearest;    /* owned; by node: the closest drawn node from there upwards   */
    dot_edge *edges;      /* owned; one per node at most                                 */
    uint32_t edge_count;
    uint32_t drawn_edge_count; /* the first of them are drawn */
    mw_sink *sink;
} dot_graph;

/* ── what is drawn ───────────────────────────────────────────────────────────────── */

static mw_call_sums before_of(const mw_call_tree *tree, uint32_t node)
{
    return tree->before == NULL ? (mw_call_sums){0} : tree->before[node];
}

static void add_sums(mw_call_sums *sum, const mw_call_sums *part)
{
    sum->bytes += part->bytes;
    sum->blocks += part->blocks;
    sum->self_bytes += part->self_bytes;
    sum->self_blocks += part->self_blocks;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static int first_if_larger(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

/* By what changed, which in a graph of one snapshot is what is there. */
static int by_change(const void *left, const void *right)
{
    const dot_function *a = left, *b = right;
    int order = first_if_larger(distance(a->now.bytes, a->before.bytes),
                                distance(b->now.bytes, b->before.bytes));

    if (order == 0)
        order = first_if_larger(a->now.bytes, b->now.bytes);
    /* Frames are numbered as they are met, which a snapshot decides. */
    return order != 0 ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

/* Frames of which folding has left no node are no functions of the graph. */
static void add_functions(dot_graph *graph)
{
    const mw_call_tree *tree = graph->tree;
    uint32_t count = 0;

    for (uint32_t i = 1; i < tree->node_count; i++) {
        dot_function *function = &graph->functions[tree->nodes[i].frame];
        mw_call_sums before = before_of(tree, i);

        function->frame = tree->nodes[i].frame;
        add_sums(&function->now, &tree->nodes[i].now);
        add_sums(&function->before, &before);
    }
    for (uint32_t i = 1; i < tree->frame_count; i++)
        if (graph->functions[i].frame != 0)
            graph->functions[count++] = graph->functions[i];
    graph->function_count = count;
}

static void choose_functions(dot_graph *graph)
{
    add_functions(graph);
    qsort(graph->functions, graph->function_count, sizeof *graph->functions, by_change);
    graph->drawn_count =
        graph->function_count < FUNCTIONS_MAXIMUM ? graph->function_count : FUNCTIONS_MAXIMUM;
    for (uint32_t i = 0; i < graph->drawn_count; i++)
        graph->is_drawn[graph->functions[i].frame] = true;
}

/* ── edges ───────────────────────────────────────────────────────────────────────── */

static int by_ends(const void *left, const void *right)
{
    const dot_edge *a = left, *b = right;

    if (a->caller != b->caller)
        return a->caller < b->caller ? -1 : 1;
    if (a->callee != b->callee)
        return a->callee < b->callee ? -1 : 1;
    return a->leads_over - b->leads_over;
}

/* Edges that agree become one. */
static void merge_edges(dot_graph *graph)
{
    uint32_t count = 0;

    qsort(graph->edges, graph->edge_count, sizeof *graph->edges, by_ends);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        if (count == 0 || by_ends(&graph->edges[count - 1], &graph->edges[i]) != 0) {
            graph->edges[count++] = graph->edges[i];
            continue;
        }
        graph->edges[count - 1].bytes += graph->edges[i].bytes;
        graph->edges[count - 1].bytes_before += graph->edges[i].bytes_before;
    }
    graph->edge_count = count;
}

/* As by_change(). */
static int edge_by_change(const void *left, const void *right)
{
    const dot_edge *a = left, *b = right;
    int order =
        first_if_larger(distance(a->bytes, a->bytes_before), distance(b->bytes, b->bytes_before));

    if (order == 0)
        order = first_if_larger(a->bytes, b->bytes);
    return order != 0 ? order : by_ends(left, right);
}

static void choose_edges(dot_graph *graph)
{
    qsort(graph->edges, graph->edge_count, sizeof *graph->edges, edge_by_change);
    graph->drawn_edge_count = graph->edge_count < EDGES_MAXIMUM ? graph->edge_count : EDGES_MAXIMUM;
}

static void find_edges(dot_graph *graph)
{
    const mw_call_tree *tree = graph->tree;

    graph->nearest[0] = 0;
    for (uint32_t i = 1; i < tree->node_count; i++) {
        const mw_call_node *node = &tree->nodes[i];
        uint32_t above = graph->nearest[node->caller];

        if (!graph->is_drawn[node->frame]) {
            graph->nearest[i] = above;
            continue;
        }
        graph->nearest[i] = i;
        if (above != 0)
            graph->edges[graph->edge_count++] = (dot_edge){
                .caller = tree->nodes[above].frame,
                .callee = node->frame,
                .leads_over = above != node->caller,
                .bytes = node->now.bytes,
                .bytes_before = before_of(tree, i).bytes,
            };
    }
    merge_edges(graph);
    choose_edges(graph);
}

/* ── text ────────────────────────────────────────────────────────────────────────── */

/* In a quoted string graphviz takes backslashes and "&name;" for its own. */
static void write_quotable(mw_sink *sink, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            mw_sink_bytes(sink, "\\", 1);
        if (bytes[i] == '&')
            mw_sink_text(sink, "&amp;");
        else
            mw_sink_bytes(sink, &bytes[i], 1);
    }
}

/* A name as one line, cut in the middle of a long one; [scratch] is overwritten. */
static void write_name(dot_graph *graph, mw_buffer *scratch, const char *bytes, size_t length)
{
    size_t start = 0;

    scratch->length = 0;
    mw_sink_escaped(&scratch->sink, bytes, length, "");
    /* The end of a name says more than its start. */
    if (scratch->length > LABEL_COLUMNS) {
        start = scratch->length - LABEL_COLUMNS;
        while (start < scratch->length && (scratch->bytes[start] & 0xc0) == 0x80)
            start++;
        mw_sink_text(graph->sink, "…");
    }
    write_quotable(graph->sink, scratch->length == 0 ? "" : scratch->bytes + start,
                   scratch->length - start);
    if (graph->sink->status == MW_OK)
        graph->sink->status = scratch->sink.status;
}

static void write_change(dot_graph *graph, uint64_t now, uint64_t before)
{
    if (graph->tree->before != NULL && now != before)
        mw_sink_format(graph->sink, " (%s%s)", now < before ? "-" : "+",
                       mw_size_format(distance(now, before)).text);
}

static void write_size(dot_graph *graph, uint64_t now, uint64_t before)
{
    mw_sink_text(graph->sink, mw_size_format(now).text);
    write_change(graph, now, before);
}

static void write_label(dot_graph *graph, mw_buffer *scratch, const dot_function *function)
{
    const mw_call_frame *frame = &graph->tree->frames[function->frame];
    size_t length;
    const char *name = mw_snapshot_string(frame->snapshot, frame->row.function, &length);

    if (length != 0) {
        write_name(graph, scratch, name, length);
        mw_sink_text(graph->sink, "\\n");
    }
    name = mw_snapshot_string(frame->snapshot, frame->row.file, &length);
    if (length != 0)
        write_name(graph, scratch, name, length);
    else
        mw_sink_text(graph->sink, "<unknown>");
    mw_sink_text(graph->sink, "\\n");
    write_size(graph, function->now.bytes, function->before.bytes);
    if (function->now.self_bytes != 0 || function->before.self_bytes != 0) {
        mw_sink_text(graph->sink, ", itself ");
        write_size(graph, function->now.self_bytes, function->before.self_bytes);
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

/* White for nothing, to a warm tone for everything; what shrank, to a cool one. */
static void write_colour(dot_graph *graph, const dot_function *function)
{
    uint64_t whole = graph->tree->nodes[0].now.bytes;
    uint64_t change = distance(function->now.bytes, function->before.bytes);
    bool has_shrunk = function->now.bytes < function->before.bytes;

    if (before_of(graph->tree, 0).bytes > whole)
        whole = before_of(graph->tree, 0).bytes;
    mw_sink_format(graph->sink, ", fillcolor=\"%s %.3f 1.000\"", has_shrunk ? "0.333" : "0.070",
                   0.55 * fmin(1, share(change, whole)));
}

static void write_function(dot_graph *graph, mw_buffer *scratch, const dot_function *function)
{
    mw_sink *sink = graph->sink;
    double of_self = share(function->now.self_bytes, graph->tree->nodes[0].now.bytes);

    mw_sink_format(sink, "  f%u [label=\"", function->frame);
    write_label(graph, scratch, function);
    mw_sink_format(sink, "\", fontsize=%.1f", FONT_POINTS + FONT_POINTS_SELF * sqrt(of_self));
    write_colour(graph, function);
    mw_sink_text(sink, ", bytes=");
    mw_sink_number(sink, function->now.bytes);
    mw_sink_text(sink, ", self_bytes=");
    mw_sink_number(sink, function->now.self_bytes);
    if (graph->tree->before != NULL) {
        mw_sink_text(sink, ", bytes_before=");
        mw_sink_number(sink, function->before.bytes);
        mw_sink_text(sink, ", self_bytes_before=");
        mw_sink_number(sink, function->before.self_bytes);
    }
    mw_sink_text(sink, "];\n");
}

static void write_edge(dot_graph *graph, const dot_edge *edge)
{
    mw_sink *sink = graph->sink;

    mw_sink_format(sink, "  f%u -> f%u [label=\" ", edge->caller, edge->callee);
    write_size(graph, edge->bytes, edge->bytes_before);
    mw_sink_format(sink, "\", penwidth=%.2f%s, bytes=",
                   1 + PEN_POINTS * share(edge->bytes, graph->tree->nodes[0].now.bytes),
                   edge->leads_over ? ", style=dashed" : "");
    mw_sink_number(sink, edge->bytes);
    if (graph->tree->before != NULL) {
        mw_sink_text(sink, ", bytes_before=");
        mw_sink_number(sink, edge->bytes_before);
    }
    mw_sink_text(sink, "];\n");
}

/* ── the graph ───────────────────────────────────────────────────────────────────── */

static void write_title(dot_graph *graph, mw_buffer *scratch)
{
    const mw_timeline *timeline = graph->view->timeline;
    const mw_call_sums before = before_of(graph->tree, 0);
    const mw_call_sums *now = &graph->tree->nodes[0].now;
    mw_sink *sink = graph->sink;
    mw_call_sums hidden = {0};

    for (uint32_t i = graph->drawn_count; i < graph->function_count; i++)
        add_sums(&hidden, &graph->functions[i].now);
    mw_sink_text(sink, "  graph [label=\"");
    if (timeline != NULL && *timeline->program.name != '\0') {
        write_name(graph, scratch, timeline->program.name, strlen(timeline->program.name));
        mw_sink_text(sink, ": ");
    }
    write_size(graph, now->bytes, before.bytes);
    mw_sink_text(sink, " ");
    write_name(graph, scratch, mw_view_measure(graph->view), strlen(mw_view_measure(graph->view)));
    mw_sink_format(sink, "\\n%s functions", mw_count_format(graph->drawn_count).text);
    if (graph->drawn_count < graph->function_count)
        mw_sink_format(sink, " of %s; those not shown allocated %s themselves",
                       mw_count_format(graph->function_count).text,
                       mw_size_format(hidden.self_bytes).text);
    if (graph->drawn_edge_count < graph->edge_count)
        mw_sink_format(sink, "\\n%s of %s calls among them",
                       mw_count_format(graph->drawn_edge_count).text,
                       mw_count_format(graph->edge_count).text);
    mw_sink_format(sink, "\", bytes=%llu, hidden_self_bytes=%llu];\n",
                   (unsigned long long)now->bytes, (unsigned long long)hidden.self_bytes);
}

static mw_status write_graph(dot_graph *graph)
{
    mw_buffer scratch;

    mw_buffer_init(&scratch, graph->alloc);
    choose_functions(graph);
    find_edges(graph);
    mw_sink_text(graph->sink, "digraph memwhy {\n"
                              "  graph [labelloc=t, fontname=\"sans-serif\"];\n"
                              "  node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
                              "  edge [fontname=\"sans-serif\", fontsize=9];\n");
    write_title(graph, &scratch);
    for (uint32_t i = 0; i < graph->drawn_count; i++)
        write_function(graph, &scratch, &graph->functions[i]);
    for (uint32_t i = 0; i < graph->drawn_edge_count; i++)
        write_edge(graph, &graph->edges[i]);
    mw_sink_text(graph->sink, "}\n");
    mw_buffer_done(&scratch);
    return MW_OK;
}

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    dot_graph graph = {.alloc = alloc, .view = view, .tree = tree, .sink = sink};
    mw_status status = MW_NO_MEMORY;

    graph.functions = mw_alloc_array(alloc, tree->frame_count, sizeof *graph.functions);
    graph.is_drawn = mw_alloc_array(alloc, tree->frame_count, sizeof *graph.is_drawn);
    graph.nearest = mw_alloc_array(alloc, tree->node_count, sizeof *graph.nearest);
    graph.edges = mw_alloc_array(alloc, tree->node_count, sizeof *graph.edges);
    if (graph.functions != NULL && graph.is_drawn != NULL && graph.nearest != NULL &&
        graph.edges != NULL)
        status = write_graph(&graph);
    mw_alloc_release(alloc, graph.functions, tree->frame_count * sizeof *graph.functions);
    mw_alloc_release(alloc, graph.is_drawn, tree->frame_count * sizeof *graph.is_drawn);
    mw_alloc_release(alloc, graph.nearest, tree->node_count * sizeof *graph.nearest);
    mw_alloc_release(alloc, graph.edges, tree->node_count * sizeof *graph.edges);
    return status;
}

static mw_status dot_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    static const mw_tree_drawing drawing = {
        .options = {.merges_lines = true, .folds_recursion = true},
        .what = "the graph",
        .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_dot = {
    .name = "dot",
    .extension = ".dot",
    .summary = "the call graph, for graphviz",
    .write = dot_write,
};
