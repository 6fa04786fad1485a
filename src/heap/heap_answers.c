/* SPDX-License-Identifier: MIT
 *
 *   question     arguments              answer
 *   report       per mille of the heap  the report as text
 *   summary                             sizes, times, how much is explained, sums by root
 *   types        count, 0 for all       a row for each type, most retained first
 *   modules      count                  a row for each entry of sys.modules
 *   sites        count                  a row for each line that allocated
 *   top          count                  objects that retain most
 *   object       address, count, node   one object, by address or, if that is 0, by number: ways to
 *                                       it, dominators, what it retains
 *   together     node, node, node       what several objects retain when dropped at once
 *   suspects     per mille of the       what looks like a leak
 *                heap, count, 0 for all
 *   garbage      count                  what waits for the collector
 *   held         count                  types of objects that C code holds
 */
#include "heap/heap_answers.h"

#include "heap/heap_json.h"
#include "heap/heap_text.h"

#include <string.h>

enum { ROWS_MAXIMUM = 1000, DOMINATORS_MAXIMUM = 24, BELOW_ROWS = 10 };
enum { REPORT_SUSPECTS = 5, REPORT_ROWS = 10 };

typedef struct answer {
    mw_heap_study *study;
    const mw_heap_question *question;
    const char *rows_name;
    mw_heap_json *json;
    mw_buffer text; /* a name that is being put together */
} answer;

/* Texts for people are in answers too, so that whoever asked need not write them. */
static const mw_heap_look plain_look = {.width = MW_HEAP_WIDTH_ANY};

/* ── names ───────────────────────────────────────────────────────────────────────── */

static void begin_text(answer *self)
{
    self->text.length = 0;
}

static void put_text(answer *self, const char *name)
{
    if (self->text.sink.status != MW_OK)
        self->json->sink->status = self->text.sink.status;
    mw_heap_json_bytes(self->json, name, self->text.length != 0 ? self->text.bytes : "",
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

static void put_place(answer *self, const mw_heap_place *place)
{
    mw_heap_json_bytes(self->json, "file", place->file, place->file_length);
    mw_heap_json_number(self->json, "line", place->line);
    mw_heap_json_bytes(self->json, "function", place->function, place->function_length);
}

/* The fields of a node, inside brackets that the caller opened. */
static void put_node(answer *self, uint32_t node)
{
    const mw_heap_view *view = self->study->view;
    mw_heap_place place = mw_heap_study_place(self->study, node);

    mw_heap_json_number(self->json, "node", node);
    mw_heap_json_number(self->json, "id", view->words->address(view, node));
    put_type(self, "type", view->graph->nodes[node].type);
    put_object(self, "text", node);
    mw_heap_json_number(self->json, "size", mw_object_graph_size(view->graph, node));
    mw_heap_json_number(self->json, "retained", mw_heap_study_retained(self->study, node));
    if (place.file != NULL) {
        mw_heap_json_open(self->json, "site", "{");
        put_place(self, &place);
        mw_heap_json_close(self->json, "}");
    }
}

/* ── roots and ways ──────────────────────────────────────────────────────────────── */

static void put_thread(answer *self, const mw_graph_root *root)
{
    const mw_heap_view *view = self->study->view;
    uint64_t thread = view->words->thread(view, root);

    if (thread == 0)
        return;
    mw_heap_json_number(self->json, "thread", thread);
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
    mw_heap_json_open(self->json, "root", "{");
    mw_heap_json_text(self->json, "kind", mw_heap_root_kind(root->kind));
    if (root->kind == MW_ROOT_MODULE || root->kind == MW_ROOT_INTERPRETER)
        put_root_name(self, "name", root);
    else if (root->kind == MW_ROOT_FRAME)
        put_object(self, "name", node);
    else if (root->kind == MW_ROOT_HELD_FROM_C)
        mw_heap_json_number(self->json, "references",
                            (uint64_t)self->study->view->graph->nodes[node].references);
    if (root->kind == MW_ROOT_FRAME || root->kind == MW_ROOT_INTERPRETER)
        put_thread(self, root);
    mw_heap_json_close(self->json, "}");
}

static void put_step(answer *self, const mw_route *route, uint32_t i)
{
    const mw_heap_view *view = self->study->view;

    mw_heap_json_open(self->json, NULL, "{");
    if (i == 0) {
        put_root(self, route->nodes[0]);
    } else {
        begin_text(self);
        view->words->write_edge(view, route->nodes[i - 1], route->nodes[i], &self->text.sink);
        put_text(self, "edge");
    }
    put_node(self, route->nodes[i]);
    mw_heap_json_close(self->json, "}");
}

/* A way; of one that is very long, both ends, and how much is between. */
static void put_route(answer *self, const mw_route *route)
{
    mw_heap_json_open(self->json, NULL, "{");
    mw_heap_json_number(self->json, "length", route->count);
    begin_text(self);
    mw_heap_path_write(self->study, route, &self->text.sink);
    put_text(self, "expression");
    mw_heap_json_open(self->json, "steps", "[");
    for (uint32_t i = 0; i < route->count; i++) {
        uint32_t skipped = mw_heap_path_skipped(route, i);

        if (skipped != 0) {
            mw_heap_json_open(self->json, NULL, "{");
            mw_heap_json_number(self->json, "skipped", skipped);
            mw_heap_json_close(self->json, "}");
            i += skipped;
        }
        put_step(self, route, i);
    }
    mw_heap_json_close(self->json, "]");
    mw_heap_json_close(self->json, "}");
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
    mw_heap_json_open(self->json, "paths", "[");
    for (uint32_t i = 0; status == MW_OK && i < list.count; i++)
        put_route(self, &list.routes[i]);
    mw_heap_json_close(self->json, "]");
    mw_route_list_done(&list);
    return status;
}

/* From just above the node up to the root of all roots, which is not told. */
static void put_dominators(answer *self, uint32_t node)
{
    const mw_dominators *tree = &self->study->tree;
    uint32_t count = 0;

    mw_heap_json_open(self->json, "dominators", "[");
    for (uint32_t at = tree->parent[tree->position_of[node]]; at != 0 && count < DOMINATORS_MAXIMUM;
         at = tree->parent[at], count++) {
        mw_heap_json_open(self->json, NULL, "{");
        if (tree->parent[at] == 0)
            put_root(self, tree->node_at[at]);
        put_node(self, tree->node_at[at]);
        mw_heap_json_close(self->json, "}");
    }
    mw_heap_json_close(self->json, "]");
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static void put_row_name(answer *self, mw_heap_by by, const mw_heap_table_row *row)
{
    const mw_heap_view *view = self->study->view;
    mw_heap_place place;

    if (by == MW_HEAP_BY_MODULE) {
        put_root_name(self, "module", &view->graph->roots[row->group]);
        mw_heap_json_number(self->json, "node", view->graph->roots[row->group].node);
    } else if (by != MW_HEAP_BY_LINE) {
        put_type(self, "type", row->group);
    } else if (row->group != 0) {
        place = view->words->place(view, row->group);
        put_place(self, &place);
    }
}

static void put_row(answer *self, mw_heap_by by, const mw_heap_table_row *row)
{
    mw_heap_json_open(self->json, NULL, "{");
    put_row_name(self, by, row);
    mw_heap_json_number(self->json, "count", row->sum.objects);
    if (by == MW_HEAP_BY_HELD)
        mw_heap_json_number(self->json, "references", row->references);
    mw_heap_json_number(self->json, "size", row->sum.bytes);
    mw_heap_json_number(self->json, "retained", row->sum.retained_bytes);
    mw_heap_json_close(self->json, "}");
}

/* Ends the table; a failure to make it is passed on. */
static mw_status put_table(answer *self, const char *name, mw_heap_table *table, uint64_t limit,
                           mw_status status)
{
    mw_heap_json_open(self->json, name, "[");
    for (uint32_t i = 0; status == MW_OK && i < table->count && i < limit; i++)
        put_row(self, table->by, &table->rows[i]);
    mw_heap_json_close(self->json, "]");
    mw_heap_table_done(table);
    return status;
}

/* The most retained first. */
static mw_status answer_table(answer *self, mw_heap_by by)
{
    uint64_t limit = self->question->arguments[0];
    mw_heap_table table;
    mw_status status = mw_heap_table_init(&table, self->study, by);

    return put_table(self, self->rows_name, &table, limit != 0 ? limit : UINT64_MAX, status);
}

static mw_status answer_types(answer *self)
{
    return answer_table(self, MW_HEAP_BY_TYPE);
}

static mw_status answer_modules(answer *self)
{
    return answer_table(self, MW_HEAP_BY_MODULE);
}

static mw_status answer_sites(answer *self)
{
    return answer_table(self, MW_HEAP_BY_LINE);
}

static mw_status answer_held(answer *self)
{
    return answer_table(self, MW_HEAP_BY_HELD);
}

/* What a suspect retains, or without one what [node] does, by type and, if that is known, by line;
 * the largest first. */
static mw_status put_contents(answer *self, uint32_t node, const mw_suspect *suspect)
{
    static const char *const names[] = {
        [MW_HEAP_BY_TYPE] = "retained_types",
        [MW_HEAP_BY_LINE] = "retained_sites",
    };
    mw_heap_by last = self->study->lines.of_node != NULL ? MW_HEAP_BY_LINE : MW_HEAP_BY_TYPE;
    mw_status status = MW_OK;
    mw_heap_table table;

    for (mw_heap_by by = MW_HEAP_BY_TYPE; status == MW_OK && by <= last; by++) {
        if (suspect != NULL)
            status = mw_heap_table_init_suspect(&table, self->study, by, suspect);
        else
            status = mw_heap_table_init_below(&table, self->study, by, node);
        status = put_table(self, names[by], &table, BELOW_ROWS, status);
    }
    return status;
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
    mw_heap_json_open(self->json, self->rows_name, "[");
    for (uint32_t i = 0; status == MW_OK && i < count; i++) {
        mw_heap_json_open(self->json, NULL, "{");
        put_node(self, study->tree.node_at[positions[i]]);
        put_root(self, study->tree.node_at[positions[i]]);
        status = put_routes(self, study->tree.node_at[positions[i]], 1);
        mw_heap_json_close(self->json, "}");
    }
    mw_heap_json_close(self->json, "]");
    return status;
}

static void put_type_id(answer *self, uint32_t node)
{
    const mw_heap_view *view = self->study->view;
    uint32_t type = view->words->type_node(view, view->graph->nodes[node].type);

    mw_heap_json_number(self->json, "type_id", type != 0 ? view->words->address(view, type) : 0);
}

static mw_status answer_object(answer *self)
{
    const mw_heap_view *view = self->study->view;
    uint64_t address = self->question->arguments[0];
    uint64_t number = self->question->arguments[2];
    uint32_t node = address != 0 ? view->words->find(view, address) : 0;
    mw_status status;

    if (address == 0 && number < view->graph->node_count)
        node = (uint32_t)number;
    if (node == 0)
        return MW_OK;
    put_node(self, node);
    put_root(self, node);
    put_type_id(self, node);
    mw_heap_json_number(self->json, "references", view->words->references(view, node));
    status = put_routes(self, node, self->question->arguments[1]);
    put_dominators(self, node);
    if (status == MW_OK)
        status = put_contents(self, node, NULL);
    begin_text(self);
    if (status == MW_OK)
        status = mw_heap_why_write(node,
                                   self->question->arguments[1] < ROWS_MAXIMUM
                                       ? (uint32_t)self->question->arguments[1]
                                       : ROWS_MAXIMUM,
                                   self->study, &plain_look, &self->text.sink);
    put_text(self, "printed");
    return status;
}

static void put_together(answer *self, const mw_retained_sum *sum)
{
    mw_heap_json_number(self->json, "count", sum->objects);
    mw_heap_json_number(self->json, "size", sum->bytes);
    mw_heap_json_number(self->json, "retained", sum->retained_bytes);
}

/* A module goes with its dict. */
static mw_status answer_together(answer *self)
{
    mw_heap_study *study = self->study;
    uint32_t nodes[2 * MW_HEAP_ARGUMENTS];
    uint32_t count = 0;
    mw_retained_sum sum;
    mw_status status;

    for (int i = 0; i < MW_HEAP_ARGUMENTS; i++) {
        uint64_t node = self->question->arguments[i];
        uint32_t dict;

        if (node == 0 || node >= study->view->graph->node_count)
            continue;
        nodes[count++] = (uint32_t)node;
        dict = mw_heap_study_module_dict(study, (uint32_t)node);
        if (dict != 0)
            nodes[count++] = dict;
    }
    status =
        mw_retained_together(study->view->graph, &study->tree, nodes, count, study->alloc, &sum);
    if (status == MW_OK)
        put_together(self, &sum);
    return status;
}

/* ── suspects ────────────────────────────────────────────────────────────────────── */

static mw_status put_holder(answer *self, uint32_t position)
{
    uint32_t node = self->study->tree.node_at[position];
    mw_status status;

    mw_heap_json_open(self->json, NULL, "{");
    put_node(self, node);
    put_root(self, node);
    status = put_routes(self, node, 1);
    mw_heap_json_close(self->json, "}");
    return status;
}

static mw_status put_suspect(answer *self, const mw_suspect *suspect)
{
    static const char *const kinds[] = {"accumulates", "joint", "many"};
    uint32_t node = self->study->tree.node_at[suspect->position];
    mw_status status = MW_OK;

    mw_heap_json_open(self->json, NULL, "{");
    mw_heap_json_text(self->json, "kind", kinds[suspect->kind]);
    mw_heap_json_number(self->json, "bytes", suspect->bytes);
    mw_heap_json_number(self->json, "retained_bytes", suspect->retained_bytes);
    mw_heap_json_number(self->json, "objects", suspect->objects);
    if (suspect->kind == MW_SUSPECT_JOINT) {
        mw_heap_json_number(self->json, "more_holders", suspect->has_more_holders);
        mw_heap_json_open(self->json, "holders", "[");
        for (uint32_t i = 0; status == MW_OK && i < suspect->holder_count; i++)
            status = put_holder(self, suspect->holders[i]);
        mw_heap_json_close(self->json, "]");
    } else {
        put_node(self, node);
        put_root(self, node);
        status = put_routes(self, node, 1);
    }
    if (status == MW_OK)
        status = put_contents(self, node, suspect);
    begin_text(self);
    if (status == MW_OK)
        status = mw_heap_suspect_write(suspect, 0, self->study, &plain_look, &self->text.sink);
    put_text(self, "printed");
    mw_heap_json_close(self->json, "}");
    return status;
}

static mw_status answer_suspects(answer *self)
{
    uint64_t limit = self->question->arguments[1];
    mw_suspects suspects;
    mw_status status =
        mw_heap_suspects_init(&suspects, self->study, (uint32_t)self->question->arguments[0]);

    if (limit == 0 || limit > ROWS_MAXIMUM)
        limit = ROWS_MAXIMUM;
    mw_heap_json_open(self->json, self->rows_name, "[");
    for (uint32_t i = 0; status == MW_OK && i < suspects.count && i < limit; i++)
        status = put_suspect(self, &suspects.items[i]);
    mw_heap_json_close(self->json, "]");
    mw_suspects_done(&suspects);
    return status;
}

/* ── garbage ─────────────────────────────────────────────────────────────────────── */

static mw_status answer_garbage(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t limit = self->question->arguments[0] < ROWS_MAXIMUM
                         ? (uint32_t)self->question->arguments[0]
                         : ROWS_MAXIMUM;
    uint32_t left = limit;
    mw_status status;
    uint64_t bytes = 0, cycles = 0;

    mw_heap_json_open(self->json, self->rows_name, "[");
    for (uint32_t i = 0; i < graph->root_count; i++) {
        if (graph->roots[i].kind != MW_ROOT_GARBAGE)
            continue;
        bytes += mw_heap_study_retained(self->study, graph->roots[i].node);
        cycles++;
        if (left == 0)
            continue;
        left--;
        mw_heap_json_open(self->json, NULL, "{");
        put_node(self, graph->roots[i].node);
        mw_heap_json_close(self->json, "}");
    }
    mw_heap_json_close(self->json, "]");
    mw_heap_json_number(self->json, "objects", self->study->garbage_count);
    mw_heap_json_number(self->json, "bytes", bytes);
    mw_heap_json_number(self->json, "cycles", cycles);
    begin_text(self);
    status = mw_heap_garbage_write(limit, self->study, &plain_look, &self->text.sink);
    put_text(self, "printed");
    return status;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

/* What hangs on roots of each kind, by where the shortest way begins. */
static void put_root_sums(answer *self)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint64_t counts[MW_ROOT_KIND_COUNT] = {0};

    for (uint32_t i = 0; i < graph->root_count; i++)
        counts[graph->roots[i].kind]++;
    mw_heap_json_open(self->json, "roots", "{");
    for (int kind = 1; kind < MW_ROOT_KIND_COUNT; kind++)
        mw_heap_json_number(self->json, mw_heap_root_kind((mw_root_kind)kind), counts[kind]);
    mw_heap_json_close(self->json, "}");
}

static mw_status answer_summary(answer *self)
{
    const mw_heap_study *study = self->study;
    const mw_heap_facts *facts = &study->view->facts;
    const mw_explained *explained = &facts->explained;

    mw_heap_json_number(self->json, "objects", facts->object_count);
    mw_heap_json_number(self->json, "tracked", facts->tracked_count);
    mw_heap_json_number(self->json, "references", study->view->graph->edge_count);
    mw_heap_json_number(self->json, "bytes", mw_heap_study_bytes(study));
    mw_heap_json_number(self->json, "frames", facts->frame_count);
    mw_heap_json_number(self->json, "garbage", study->garbage_count);
    mw_heap_json_number(self->json, "counted_references", explained->counted);
    mw_heap_json_number(self->json, "unexplained_references", explained->unexplained);
    mw_heap_json_number(self->json, "held_objects", explained->held);
    mw_heap_json_number(self->json, "overcounted_objects", explained->overcounted);
    mw_heap_json_number(self->json, "walk_ns", facts->walk_ns);
    mw_heap_json_number(self->json, "analysis_ns", study->analysis_ns);
    mw_heap_json_number(self->json, "memory", facts->memory_bytes);
    mw_heap_json_number(self->json, "knows_lines", facts->knows_lines);
    put_root_sums(self);
    return MW_OK;
}

static mw_status answer_report(answer *self)
{
    mw_heap_report report = {.share_permille = (uint32_t)self->question->arguments[0],
                             .suspect_limit = REPORT_SUSPECTS,
                             .row_limit = REPORT_ROWS};
    mw_status status;

    begin_text(self);
    status = mw_heap_report_write(&report, self->study, &plain_look, &self->text.sink);
    put_text(self, "text");
    return status;
}

typedef struct question_row {
    const char *name;
    mw_status (*answer)(answer *self);
} question_row;

static const question_row questions[] = {
    {"report", answer_report},   {"summary", answer_summary},   {"types", answer_types},
    {"modules", answer_modules}, {"sites", answer_sites},       {"top", answer_top},
    {"object", answer_object},   {"together", answer_together}, {"suspects", answer_suspects},
    {"garbage", answer_garbage}, {"held", answer_held},
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

mw_status mw_heap_answer_into(mw_heap_study *study, const mw_heap_question *question,
                              const char *rows_name, mw_heap_json *json)
{
    const question_row *row = find_question(question->name);
    answer self = {.study = study, .question = question, .rows_name = rows_name, .json = json};
    mw_status status;

    if (row == NULL)
        return MW_BAD_INPUT;
    /* Names of objects say their lines where these are known. */
    status = mw_heap_study_lines(study);
    if (status != MW_OK && status != MW_UNSUPPORTED)
        return status;
    mw_buffer_init(&self.text, study->alloc);
    status = row->answer(&self);
    mw_buffer_done(&self.text);
    return status != MW_OK ? status : json->sink->status;
}

mw_status mw_heap_answer(mw_heap_study *study, const mw_heap_question *question, mw_sink *sink)
{
    mw_heap_json json = {.sink = sink};
    mw_status status;

    mw_heap_json_open(&json, NULL, "{");
    status = mw_heap_answer_into(study, question, "rows", &json);
    mw_heap_json_close(&json, "}");
    return status != MW_OK ? status : sink->status;
}
