/* SPDX-License-Identifier: MIT
 *
 *   question     arguments              answer
 *   summary                             sizes, times, how much is explained, sums by root
 *   types                               a row for each type
 *   modules                             a row for each entry of sys.modules
 *   sites                               a row for each line that allocated
 *   top          count                  objects that retain most
 *   object       address, count         one object: ways to it, dominators, what it retains
 *   together     node, node, node       what several objects retain when dropped at once
 *   suspects     per mille of the heap  what looks like a leak
 *   garbage      count                  what waits for the collector
 *   held                                types of objects that C code holds
 */
#include "heap/heap_answers.h"

#include "heap/heap_json.h"

#include "graph/suspects.h"

#include <string.h>

enum { ROWS_MAXIMUM = 1000, CHAIN_HEAD = 24, CHAIN_TAIL = 24, BELOW_ROWS = 10 };

typedef struct answer {
    mw_heap_study *study;
    const mw_heap_question *question;
    mw_heap_json json;
    mw_buffer text; /* a name that is being put together */
} answer;

static const char *const root_kinds[MW_ROOT_KIND_COUNT] = {
    "none", "module", "frame", "interpreter", "static", "held-from-c", "immortal", "garbage",
};

/* ── names ───────────────────────────────────────────────────────────────────────── */

static void begin_text(answer *self)
{
    self->text.length = 0;
}

static void put_text(answer *self, const char *name)
{
    if (self->text.sink.status != MW_OK)
        self->json.sink->status = self->text.sink.status;
    mw_heap_json_bytes(&self->json, name, self->text.length != 0 ? self->text.bytes : "",
                       self->text.length);
}

static void put_type(answer *self, const char *name, uint32_t type)
{
    const mw_heap_view *view = self->study->view;

    begin_text(self);
    view->words->write_type(view, type, &self->text.sink);
    put_text(self, name);
}

static void put_object(answer *self, const char *name, uint32_t node)
{
    const mw_heap_view *view = self->study->view;

    begin_text(self);
    view->words->write_object(view, node, &self->text.sink);
    put_text(self, name);
}

static void put_root_name(answer *self, const char *name, const mw_graph_root *root)
{
    const mw_heap_view *view = self->study->view;

    begin_text(self);
    view->words->write_root(view, root, &self->text.sink);
    put_text(self, name);
}

static void put_sum(answer *self, const mw_retained_sum *sum)
{
    mw_heap_json_number(&self->json, "count", sum->objects);
    mw_heap_json_number(&self->json, "size", sum->bytes);
    mw_heap_json_number(&self->json, "retained", sum->retained_bytes);
}

static void put_place(answer *self, const mw_heap_place *place)
{
    mw_heap_json_bytes(&self->json, "file", place->file, place->file_length);
    mw_heap_json_number(&self->json, "line", place->line);
    mw_heap_json_bytes(&self->json, "function", place->function, place->function_length);
}

/* The fields of a node, inside brackets that the caller opened. */
static void put_node(answer *self, uint32_t node)
{
    const mw_heap_view *view = self->study->view;
    mw_heap_place place = mw_heap_study_place(self->study, node);

    mw_heap_json_number(&self->json, "node", node);
    mw_heap_json_number(&self->json, "id", view->words->address(view, node));
    put_type(self, "type", view->graph->nodes[node].type);
    put_object(self, "text", node);
    mw_heap_json_number(&self->json, "size", mw_object_graph_size(view->graph, node));
    mw_heap_json_number(&self->json, "retained", mw_heap_study_retained(self->study, node));
    if (place.file != NULL) {
        mw_heap_json_open(&self->json, "site", "{");
        put_place(self, &place);
        mw_heap_json_close(&self->json, "}");
    }
}

/* ── roots and ways ──────────────────────────────────────────────────────────────── */

static void put_thread(answer *self, const mw_graph_root *root)
{
    const mw_heap_view *view = self->study->view;
    uint64_t thread = view->words->thread(view, root);

    if (thread == 0)
        return;
    mw_heap_json_number(&self->json, "thread", thread);
    begin_text(self);
    view->words->write_thread(view, thread, &self->text.sink);
    if (self->text.length == 0)
        mw_sink_number(&self->text.sink, thread);
    put_text(self, "thread_name");
}

static void put_root(answer *self, uint32_t node)
{
    const mw_graph_root *root = mw_heap_study_root(self->study, node);

    if (root == NULL)
        return;
    mw_heap_json_open(&self->json, "root", "{");
    mw_heap_json_text(&self->json, "kind", root_kinds[root->kind]);
    if (root->kind == MW_ROOT_MODULE || root->kind == MW_ROOT_INTERPRETER)
        put_root_name(self, "name", root);
    else if (root->kind == MW_ROOT_FRAME)
        put_object(self, "name", node);
    else if (root->kind == MW_ROOT_HELD_FROM_C)
        mw_heap_json_number(&self->json, "references",
                            (uint64_t)self->study->view->graph->nodes[node].references);
    if (root->kind == MW_ROOT_FRAME || root->kind == MW_ROOT_INTERPRETER)
        put_thread(self, root);
    mw_heap_json_close(&self->json, "}");
}

static void put_step(answer *self, const mw_route *route, uint32_t i)
{
    const mw_heap_view *view = self->study->view;

    mw_heap_json_open(&self->json, NULL, "{");
    if (i == 0) {
        put_root(self, route->nodes[0]);
    } else {
        begin_text(self);
        view->words->write_edge(view, route->nodes[i - 1], route->nodes[i], &self->text.sink);
        put_text(self, "edge");
    }
    put_node(self, route->nodes[i]);
    mw_heap_json_close(&self->json, "}");
}

/* A way; of one that is very long, both ends, and how much is between. */
static void put_route(answer *self, const mw_route *route)
{
    mw_heap_json_open(&self->json, NULL, "{");
    mw_heap_json_number(&self->json, "length", route->count);
    mw_heap_json_open(&self->json, "steps", "[");
    for (uint32_t i = 0; i < route->count; i++) {
        if (route->count > CHAIN_HEAD + CHAIN_TAIL && i == CHAIN_HEAD) {
            i = route->count - CHAIN_TAIL;
            mw_heap_json_open(&self->json, NULL, "{");
            mw_heap_json_number(&self->json, "skipped", i - CHAIN_HEAD);
            mw_heap_json_close(&self->json, "}");
        }
        put_step(self, route, i);
    }
    mw_heap_json_close(&self->json, "]");
    mw_heap_json_close(&self->json, "}");
}

static mw_status put_routes(answer *self, uint32_t node, uint64_t limit)
{
    mw_heap_study *study = self->study;
    const mw_back_edges *back = NULL;
    mw_route_list list = {0};
    mw_status status = MW_OK;

    if (limit > ROWS_MAXIMUM)
        limit = ROWS_MAXIMUM;
    if (limit > 1)
        status = mw_heap_study_back(study, &back);
    if (status == MW_OK)
        status = mw_routes_find(&list, &study->routes, study->view->graph, back, &study->tree, node,
                                (uint32_t)limit, study->alloc);
    mw_heap_json_open(&self->json, "paths", "[");
    for (uint32_t i = 0; status == MW_OK && i < list.count; i++)
        put_route(self, &list.routes[i]);
    mw_heap_json_close(&self->json, "]");
    mw_route_list_done(&list);
    return status;
}

/* From just above the node up to the root of all roots, which is not told. */
static void put_dominators(answer *self, uint32_t node)
{
    const mw_dominators *tree = &self->study->tree;
    uint32_t count = 0;

    mw_heap_json_open(&self->json, "dominators", "[");
    for (uint32_t at = tree->parent[tree->position_of[node]]; at != 0 && count < CHAIN_HEAD;
         at = tree->parent[at], count++) {
        mw_heap_json_open(&self->json, NULL, "{");
        if (tree->parent[at] == 0)
            put_root(self, tree->node_at[at]);
        put_node(self, tree->node_at[at]);
        mw_heap_json_close(&self->json, "}");
    }
    mw_heap_json_close(&self->json, "]");
}

/* ── rows by group ───────────────────────────────────────────────────────────────── */

typedef void put_group(answer *self, uint32_t group);

static void put_type_group(answer *self, uint32_t group)
{
    put_type(self, "type", group);
}

static void put_line_group(answer *self, uint32_t group)
{
    mw_heap_place place;

    if (group == 0)
        return;
    place = self->study->view->words->place(self->study->view, group);
    put_place(self, &place);
}

static void put_group_row(answer *self, uint32_t group, const mw_retained_sum *sum, put_group *put)
{
    mw_heap_json_open(&self->json, NULL, "{");
    put(self, group);
    put_sum(self, sum);
    mw_heap_json_close(&self->json, "}");
}

/* All groups that have objects, in no order: whoever asked sorts. */
static mw_status put_groups(answer *self, const mw_grouping *grouping, put_group *put)
{
    mw_alloc *alloc = self->study->alloc;
    mw_retained_sum *sums = mw_alloc_array(alloc, grouping->count, sizeof *sums);
    mw_status status = MW_NO_MEMORY;

    if (sums != NULL)
        status = mw_retained_by_group(&self->study->tree, grouping, alloc, sums);
    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; status == MW_OK && i < grouping->count; i++)
        if (sums[i].objects != 0)
            put_group_row(self, i, &sums[i], put);
    mw_heap_json_close(&self->json, "]");
    mw_alloc_release(alloc, sums, grouping->count * sizeof *sums);
    return status;
}

/* The largest groups below a position, largest first. */
static mw_status put_below(answer *self, const char *name, uint32_t position,
                           const mw_grouping *grouping, put_group *put)
{
    mw_alloc *alloc = self->study->alloc;
    mw_retained_sum *sums = mw_alloc_array(alloc, grouping->count, sizeof *sums);

    if (sums == NULL)
        return MW_NO_MEMORY;
    mw_retained_below(&self->study->tree, position, grouping, sums);
    mw_heap_json_open(&self->json, name, "[");
    for (uint32_t row = 0; row < BELOW_ROWS; row++) {
        uint32_t best = 0;

        for (uint32_t i = 1; i < grouping->count; i++)
            if (sums[i].bytes > sums[best].bytes)
                best = i;
        if (sums[best].objects == 0)
            break;
        put_group_row(self, best, &sums[best], put);
        sums[best] = (mw_retained_sum){0};
    }
    mw_heap_json_close(&self->json, "]");
    mw_alloc_release(alloc, sums, grouping->count * sizeof *sums);
    return MW_OK;
}

/* What [node] retains, by type and, if the tracer knows, by line. */
static mw_status put_contents(answer *self, uint32_t node)
{
    uint32_t dict = mw_heap_study_module_dict(self->study, node);
    uint32_t position = self->study->tree.position_of[dict != 0 ? dict : node];
    mw_grouping grouping = mw_heap_study_by_type(self->study);
    mw_status status = put_below(self, "retained_types", position, &grouping, put_type_group);

    if (status != MW_OK || self->study->lines.of_node == NULL)
        return status;
    grouping = mw_heap_study_by_line(self->study);
    return put_below(self, "retained_sites", position, &grouping, put_line_group);
}

static mw_status answer_types(answer *self)
{
    mw_grouping grouping = mw_heap_study_by_type(self->study);

    return put_groups(self, &grouping, put_type_group);
}

static mw_status answer_sites(answer *self)
{
    mw_status status = mw_heap_study_lines(self->study);
    mw_grouping grouping;

    if (status != MW_OK)
        return status;
    grouping = mw_heap_study_by_line(self->study);
    return put_groups(self, &grouping, put_line_group);
}

/* ── modules ─────────────────────────────────────────────────────────────────────── */

static void put_module(answer *self, const mw_graph_root *root)
{
    const mw_dominators *tree = &self->study->tree;
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t node = root->node;
    uint32_t dict = mw_heap_study_module_dict(self->study, node);
    mw_retained_sum sum = {
        .objects = tree->end[tree->position_of[node]] - tree->position_of[node],
        .bytes = mw_object_graph_size(graph, node),
        .retained_bytes = mw_heap_study_retained(self->study, node),
    };

    if (dict != 0) {
        sum.objects += tree->end[tree->position_of[dict]] - tree->position_of[dict];
        sum.bytes += mw_object_graph_size(graph, dict);
    }
    mw_heap_json_open(&self->json, NULL, "{");
    put_root_name(self, "module", root);
    mw_heap_json_number(&self->json, "node", node);
    put_sum(self, &sum);
    mw_heap_json_close(&self->json, "}");
}

/* Of the roots of one name the first is what sys.modules has, and its dict may follow. */
static mw_status answer_modules(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t last_label = 0;

    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; i < graph->root_count; i++) {
        const mw_graph_root *root = &graph->roots[i];

        if (root->kind != MW_ROOT_MODULE || root->label == last_label)
            continue;
        last_label = root->label;
        put_module(self, root);
    }
    mw_heap_json_close(&self->json, "]");
    return MW_OK;
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

static mw_status answer_top(answer *self)
{
    mw_heap_study *study = self->study;
    uint64_t limit = self->question->arguments[0];
    uint32_t positions[ROWS_MAXIMUM];
    uint32_t count;
    mw_status status = MW_OK;

    count = mw_retained_largest(&study->tree, limit < ROWS_MAXIMUM ? (uint32_t)limit : ROWS_MAXIMUM,
                                positions);
    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; status == MW_OK && i < count; i++) {
        mw_heap_json_open(&self->json, NULL, "{");
        put_node(self, study->tree.node_at[positions[i]]);
        put_root(self, study->tree.node_at[positions[i]]);
        status = put_routes(self, study->tree.node_at[positions[i]], 1);
        mw_heap_json_close(&self->json, "}");
    }
    mw_heap_json_close(&self->json, "]");
    return status;
}

static void put_type_id(answer *self, uint32_t node)
{
    const mw_heap_view *view = self->study->view;
    uint32_t type = view->words->type_node(view, view->graph->nodes[node].type);

    mw_heap_json_number(&self->json, "type_id", type != 0 ? view->words->address(view, type) : 0);
}

static mw_status answer_object(answer *self)
{
    const mw_heap_view *view = self->study->view;
    uint32_t node = view->words->find(view, self->question->arguments[0]);
    mw_status status;

    if (node == 0)
        return MW_OK;
    put_node(self, node);
    put_root(self, node);
    put_type_id(self, node);
    mw_heap_json_number(&self->json, "references", view->words->references(view, node));
    status = put_routes(self, node, self->question->arguments[1]);
    put_dominators(self, node);
    if (status == MW_OK)
        status = put_contents(self, node);
    return status;
}

static mw_status answer_together(answer *self)
{
    mw_heap_study *study = self->study;
    uint32_t nodes[MW_HEAP_ARGUMENTS];
    uint32_t count = 0;
    mw_retained_sum sum;
    mw_status status;

    for (int i = 0; i < MW_HEAP_ARGUMENTS; i++)
        if (self->question->arguments[i] > 0 &&
            self->question->arguments[i] < study->view->graph->node_count)
            nodes[count++] = (uint32_t)self->question->arguments[i];
    status =
        mw_retained_together(study->view->graph, &study->tree, nodes, count, study->alloc, &sum);
    if (status == MW_OK)
        put_sum(self, &sum);
    return status;
}

/* ── suspects ────────────────────────────────────────────────────────────────────── */

static mw_status put_holder(answer *self, uint32_t position)
{
    uint32_t node = self->study->tree.node_at[position];
    mw_status status;

    mw_heap_json_open(&self->json, NULL, "{");
    put_node(self, node);
    put_root(self, node);
    status = put_routes(self, node, 1);
    mw_heap_json_close(&self->json, "}");
    return status;
}

static mw_status put_suspect(answer *self, const mw_suspect *suspect)
{
    static const char *const kinds[] = {"accumulates", "joint", "many"};
    uint32_t node = self->study->tree.node_at[suspect->position];
    mw_status status = MW_OK;

    mw_heap_json_open(&self->json, NULL, "{");
    mw_heap_json_text(&self->json, "kind", kinds[suspect->kind]);
    mw_heap_json_number(&self->json, "bytes", suspect->bytes);
    mw_heap_json_number(&self->json, "retained_bytes", suspect->retained_bytes);
    mw_heap_json_number(&self->json, "objects", suspect->objects);
    if (suspect->kind == MW_SUSPECT_JOINT) {
        mw_heap_json_number(&self->json, "more_holders", suspect->has_more_holders);
        mw_heap_json_open(&self->json, "holders", "[");
        for (uint32_t i = 0; status == MW_OK && i < suspect->holder_count; i++)
            status = put_holder(self, suspect->holders[i]);
        mw_heap_json_close(&self->json, "]");
    } else {
        put_node(self, node);
        put_root(self, node);
        status = put_routes(self, node, 1);
        if (status == MW_OK)
            status = put_contents(self, node);
    }
    mw_heap_json_close(&self->json, "}");
    return status;
}

static mw_status answer_suspects(answer *self)
{
    mw_heap_study *study = self->study;
    uint64_t total = mw_dominators_retained(&study->tree, 0);
    mw_suspects suspects = {0};
    const mw_back_edges *back;
    mw_status status = mw_heap_study_back(study, &back);

    if (status == MW_OK)
        status = mw_suspects_init(&suspects, study->view->graph, back, &study->tree,
                                  study->view->type_count,
                                  total / 1000 * self->question->arguments[0], study->alloc);
    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; status == MW_OK && i < suspects.count && i < ROWS_MAXIMUM; i++)
        status = put_suspect(self, &suspects.items[i]);
    mw_heap_json_close(&self->json, "]");
    mw_suspects_done(&suspects);
    return status;
}

/* ── garbage, and what C holds ───────────────────────────────────────────────────── */

static mw_status answer_garbage(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint64_t left = self->question->arguments[0];
    uint64_t bytes = 0, cycles = 0;

    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; i < graph->root_count; i++) {
        if (graph->roots[i].kind != MW_ROOT_GARBAGE)
            continue;
        bytes += mw_heap_study_retained(self->study, graph->roots[i].node);
        cycles++;
        if (left == 0)
            continue;
        left--;
        mw_heap_json_open(&self->json, NULL, "{");
        put_node(self, graph->roots[i].node);
        mw_heap_json_close(&self->json, "}");
    }
    mw_heap_json_close(&self->json, "]");
    mw_heap_json_number(&self->json, "objects", self->study->garbage_count);
    mw_heap_json_number(&self->json, "bytes", bytes);
    mw_heap_json_number(&self->json, "cycles", cycles);
    return MW_OK;
}

static mw_status answer_held(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t type_count = self->study->view->type_count;
    mw_alloc *alloc = self->study->alloc;
    mw_retained_sum *sums = mw_alloc_array(alloc, type_count, sizeof *sums);

    if (sums == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t node = graph->roots[i].node;
        mw_retained_sum *sum = &sums[graph->nodes[node].type];

        if (graph->roots[i].kind != MW_ROOT_HELD_FROM_C)
            continue;
        sum->objects++;
        sum->bytes += (uint64_t)graph->nodes[node].references;
        sum->retained_bytes += mw_heap_study_retained(self->study, node);
    }
    mw_heap_json_open(&self->json, "rows", "[");
    for (uint32_t i = 0; i < type_count; i++) {
        if (sums[i].objects == 0)
            continue;
        mw_heap_json_open(&self->json, NULL, "{");
        put_type(self, "type", i);
        mw_heap_json_number(&self->json, "count", sums[i].objects);
        mw_heap_json_number(&self->json, "references", sums[i].bytes);
        mw_heap_json_number(&self->json, "retained", sums[i].retained_bytes);
        mw_heap_json_close(&self->json, "}");
    }
    mw_heap_json_close(&self->json, "]");
    mw_alloc_release(alloc, sums, type_count * sizeof *sums);
    return MW_OK;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

/* What hangs on roots of each kind, by where the shortest way begins. */
static void put_root_sums(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint64_t counts[MW_ROOT_KIND_COUNT] = {0};

    for (uint32_t i = 0; i < graph->root_count; i++)
        counts[graph->roots[i].kind]++;
    mw_heap_json_open(&self->json, "roots", "{");
    for (int kind = 1; kind < MW_ROOT_KIND_COUNT; kind++)
        mw_heap_json_number(&self->json, root_kinds[kind], counts[kind]);
    mw_heap_json_close(&self->json, "}");
}

static mw_status answer_summary(answer *self)
{
    const mw_heap_study *study = self->study;
    const mw_heap_facts *facts = &study->view->facts;
    const mw_explained *explained = &facts->explained;

    mw_heap_json_number(&self->json, "objects", facts->object_count);
    mw_heap_json_number(&self->json, "tracked", facts->tracked_count);
    mw_heap_json_number(&self->json, "references", study->view->graph->edge_count);
    mw_heap_json_number(&self->json, "bytes", mw_heap_study_bytes(study));
    mw_heap_json_number(&self->json, "frames", facts->frame_count);
    mw_heap_json_number(&self->json, "garbage", study->garbage_count);
    mw_heap_json_number(&self->json, "counted_references", explained->counted);
    mw_heap_json_number(&self->json, "unexplained_references", explained->unexplained);
    mw_heap_json_number(&self->json, "held_objects", explained->held);
    mw_heap_json_number(&self->json, "overcounted_objects", explained->overcounted);
    mw_heap_json_number(&self->json, "walk_ns", facts->walk_ns);
    mw_heap_json_number(&self->json, "analysis_ns", study->analysis_ns);
    mw_heap_json_number(&self->json, "memory", facts->memory_bytes);
    mw_heap_json_number(&self->json, "knows_lines", facts->knows_lines);
    put_root_sums(self);
    return MW_OK;
}

typedef struct question_row {
    const char *name;
    mw_status (*answer)(answer *self);
} question_row;

static const question_row questions[] = {
    {"summary", answer_summary},   {"types", answer_types},       {"modules", answer_modules},
    {"sites", answer_sites},       {"top", answer_top},           {"object", answer_object},
    {"together", answer_together}, {"suspects", answer_suspects}, {"garbage", answer_garbage},
    {"held", answer_held},
};

static const question_row *find_question(const char *name)
{
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strncmp(name, questions[i].name, MW_HEAP_NAME_BYTES) == 0)
            return &questions[i];
    return NULL;
}

bool mw_heap_question_is_known(const char *name)
{
    return find_question(name) != NULL;
}

mw_status mw_heap_answer(mw_heap_study *study, const mw_heap_question *question, mw_sink *sink)
{
    const question_row *row = find_question(question->name);
    answer self = {.study = study, .question = question, .json = {.sink = sink}};
    mw_status status;

    if (row == NULL)
        return MW_BAD_INPUT;
    /* Names of objects say their lines where these are known. */
    status = mw_heap_study_lines(study);
    if (status != MW_OK && status != MW_UNSUPPORTED)
        return status;
    mw_buffer_init(&self.text, study->alloc);
    mw_heap_json_open(&self.json, NULL, "{");
    status = row->answer(&self);
    mw_heap_json_close(&self.json, "}");
    mw_buffer_done(&self.text);
    return status != MW_OK ? status : sink->status;
}
