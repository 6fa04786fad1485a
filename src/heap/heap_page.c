/* SPDX-License-Identifier: MIT
 *
 * Names are asked for only where they are shown.  A reference is looked up in who refers to
 * the object, since the one that dominates it may refer to millions.
 */
#include "heap/heap_page.h"

#include "heap/heap_answers.h"
#include "heap/heap_outline.h"
#include "heap/heap_path.h"
#include "heap/heap_table.h"
#include "heap/heap_text.h"

#include <string.h>

enum {
    WAY_SHARES = 2000,       /* what is reached by several ways says one if it is that much */
    DEGREE_MAXIMUM = 200000, /* of what has more references, none is said by name           */
    GARBAGE_ROWS = 100,
    SAMPLES = 3, /* of objects that are alike: what these have in common is said of all */
};

typedef struct page_maker {
    mw_page_heap *page;
    mw_heap_study *study;
    const mw_heap_page_options *options;
    const mw_back_edges *back;
    mw_outline outline;
    uint32_t *types; /* owned; by type, the string of its name plus one; 0: not asked yet */
    uint32_t *lines; /* owned; by line of the study, that of the page; likewise           */
    mw_buffer text;  /* a name that is being put together                               */
} page_maker;

/* ── names ───────────────────────────────────────────────────────────────────────── */

static mw_status take_text(page_maker *self, uint32_t *ret_string)
{
    mw_status status = self->text.sink.status;

    if (status == MW_OK)
        status = mw_page_heap_string(self->page, self->text.length != 0 ? self->text.bytes : "",
                                     self->text.length, ret_string);
    self->text.length = 0;
    return status;
}

static mw_status type_name(page_maker *self, uint32_t type, uint32_t *ret_string)
{
    const mw_heap_view *view = self->study->view;
    mw_status status = MW_OK;

    if (self->types[type] == 0) {
        view->words->write_type(view, type, &self->text.sink);
        status = take_text(self, ret_string);
        if (status == MW_OK)
            self->types[type] = *ret_string + 1;
        return status;
    }
    *ret_string = self->types[type] - 1;
    return MW_OK;
}

static mw_status object_name(page_maker *self, uint32_t node, uint32_t *ret_string)
{
    const mw_heap_view *view = self->study->view;

    view->words->write_object(view, node, &self->text.sink);
    return take_text(self, ret_string);
}

static mw_status line_of(page_maker *self, uint32_t line, uint32_t *ret_line)
{
    const mw_heap_view *view = self->study->view;
    mw_page_heap_line made = {0};
    mw_heap_place place;
    mw_status status;

    *ret_line = line == 0 ? 0 : self->lines[line];
    if (line == 0 || *ret_line != 0)
        return MW_OK;
    place = view->words->place(view, line);
    if (place.file == NULL)
        return MW_OK;
    made.line = (int32_t)place.line;
    status = mw_page_heap_string(self->page, place.file, place.file_length, &made.file);
    if (status == MW_OK && place.function != NULL)
        status =
            mw_page_heap_string(self->page, place.function, place.function_length, &made.function);
    if (status == MW_OK)
        status = mw_page_heap_add_line(self->page, &made, ret_line);
    if (status == MW_OK)
        self->lines[line] = *ret_line;
    return status;
}

/* ── references and roots ────────────────────────────────────────────────────────── */

static bool refers(const mw_back_edges *back, uint32_t from, uint32_t to)
{
    uint32_t low = back->first[to], high = back->first[to + 1];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (back->edges[middle] == from)
            return true;
        if (back->edges[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Who dominates the object, if that is by a reference of its own; 0: nobody, or several. */
static uint32_t holder_of(const page_maker *self, uint32_t position)
{
    const mw_dominators *tree = &self->study->tree;
    uint32_t holder = tree->node_at[tree->parent[position]];

    return holder != 0 && refers(self->back, holder, tree->node_at[position]) ? holder : 0;
}

static mw_status edge_name(page_maker *self, uint32_t position, uint32_t *ret_string)
{
    const mw_heap_view *view = self->study->view;
    uint32_t holder = holder_of(self, position);

    if (holder != 0 && mw_object_graph_degree(view->graph, holder) > DEGREE_MAXIMUM)
        mw_sink_text(&self->text.sink, "[…]");
    else if (holder != 0)
        view->words->write_edge(view, holder, self->study->tree.node_at[position],
                                &self->text.sink);
    return take_text(self, ret_string);
}

static uint32_t root_kind(const page_maker *self, uint32_t position)
{
    const mw_graph_root *root;

    if (self->study->tree.parent[position] != 0)
        return 0;
    root = mw_heap_study_root(self->study, self->study->tree.node_at[position]);
    return root == NULL ? 0 : root->kind;
}

/* How one gets there, where no reference of the row above says so. */
static mw_status way_name(page_maker *self, const mw_outline_row *row, uint32_t node, bool is_root,
                          uint32_t *ret_string)
{
    mw_status status = MW_OK;

    if (is_root)
        mw_heap_path_write_root(self->study, node, &self->text.sink);
    else if (row->retained >= mw_heap_study_bytes(self->study) / WAY_SHARES)
        status = mw_heap_path_write_to(self->study, node, &self->text.sink);
    return status == MW_OK ? take_text(self, ret_string) : status;
}

/* ── rows of the tree ────────────────────────────────────────────────────────────── */

static mw_status name_one(page_maker *self, const mw_outline_row *row, mw_page_object *object)
{
    const mw_heap_view *view = self->study->view;
    uint32_t position = self->outline.members[row->first_member];
    uint32_t node = self->study->tree.node_at[position];
    mw_status status = object_name(self, node, &object->text);

    object->id = view->words->address(view, node);
    object->root = root_kind(self, position);
    if (status == MW_OK)
        status = edge_name(self, position, &object->edge);
    object->is_joint = object->root == 0 && holder_of(self, position) == 0;
    if (status == MW_OK && object->edge == 0)
        status = way_name(self, row, node, object->root != 0, &object->way);
    return status;
}

/* What is true of some of them, and is taken to be of all: `.data`, `[…]`, or nothing. */
static mw_status name_alike(page_maker *self, const mw_outline_row *row, mw_page_object *object)
{
    uint32_t edges[SAMPLES], roots[SAMPLES];
    bool are_items = true;
    mw_status status = MW_OK;

    object->is_joint = true;
    for (uint32_t i = 0; i < SAMPLES && status == MW_OK; i++) {
        uint32_t member = (uint32_t)((uint64_t)i * (row->member_count - 1) / (SAMPLES - 1));
        uint32_t position = self->outline.members[row->first_member + member];
        status = edge_name(self, position, &edges[i]);
        if (status != MW_OK)
            return status;
        roots[i] = root_kind(self, position);
        object->is_joint = object->is_joint && roots[i] == 0 && holder_of(self, position) == 0;
        are_items = are_items && *mw_string_pool_bytes(&self->page->strings, edges[i]) == '[';
    }
    if (roots[0] == roots[1] && roots[0] == roots[2])
        object->root = roots[0];
    if (edges[0] == edges[1] && edges[0] == edges[2])
        object->edge = edges[0];
    else if (are_items)
        status = mw_page_heap_string(self->page, "[…]", strlen("[…]"), &object->edge);
    return status;
}

static mw_status add_row(page_maker *self, const mw_outline_row *row)
{
    mw_page_object object = {.parent = row->parent,
                             .kind = (mw_page_object_kind)row->kind,
                             .count = row->count,
                             .size = row->size,
                             .objects = row->objects,
                             .retained = row->retained};
    uint32_t number;
    mw_status status = MW_OK;

    if (row->kind != MW_OUTLINE_REST)
        status = type_name(self, row->type, &object.type);
    if (status == MW_OK)
        status = line_of(self, row->line, &object.line);
    if (status == MW_OK && row->kind == MW_OUTLINE_ONE)
        status = name_one(self, row, &object);
    if (status == MW_OK && row->kind == MW_OUTLINE_ALIKE)
        status = name_alike(self, row, &object);
    return status == MW_OK ? mw_page_heap_add_object(self->page, &object, &number) : status;
}

/* Row 0 of both is the whole heap. */
static mw_status add_rows(page_maker *self)
{
    mw_status status = MW_OK;

    for (uint32_t i = 1; i < self->outline.count && status == MW_OK; i++)
        status = add_row(self, &self->outline.rows[i]);
    return status;
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static const struct {
    mw_heap_by by;
    const char *name;
} tables[MW_PAGE_HEAP_TABLE_COUNT] = {
    [MW_PAGE_HEAP_TYPES] = {MW_HEAP_BY_TYPE, "types"},
    [MW_PAGE_HEAP_MODULES] = {MW_HEAP_BY_MODULE, "modules"},
    [MW_PAGE_HEAP_LINES] = {MW_HEAP_BY_LINE, "lines"},
    [MW_PAGE_HEAP_HELD] = {MW_HEAP_BY_HELD, "held"},
};

static mw_status add_table_row(page_maker *self, mw_page_heap_table number,
                               const mw_heap_table *table, const mw_heap_table_row *from)
{
    mw_page_heap_row row = {.count = from->sum.objects,
                            .references = from->references,
                            .size = from->sum.bytes,
                            .retained = from->sum.retained_bytes};
    mw_status status;

    if (table->by == MW_HEAP_BY_LINE) {
        status = line_of(self, from->group, &row.line);
    } else {
        mw_heap_table_write_name(table, self->study, from, &self->text.sink);
        status = take_text(self, &row.name);
    }
    return status == MW_OK ? mw_page_heap_add_row(self->page, number, &row) : status;
}

static mw_status add_table(page_maker *self, mw_page_heap_table number, uint32_t *ret_total)
{
    mw_heap_table table = {0};
    mw_status status = mw_heap_table_init(&table, self->study, tables[number].by);

    *ret_total = 0;
    if (status == MW_UNSUPPORTED)
        return MW_OK; /* it is not known which lines allocated what */
    if (status == MW_OK)
        *ret_total = table.count;
    for (uint32_t i = 0; i < table.count && i < MW_HEAP_PAGE_TABLE_ROWS && status == MW_OK; i++)
        status = add_table_row(self, number, &table, &table.rows[i]);
    mw_heap_table_done(&table);
    return status;
}

static mw_status add_tables(page_maker *self)
{
    mw_sink *facts = &self->page->facts.sink;
    mw_status status = MW_OK;

    mw_sink_text(facts, "\"totals\":{");
    for (int i = 0; i < MW_PAGE_HEAP_TABLE_COUNT && status == MW_OK; i++) {
        uint32_t total;
        status = add_table(self, (mw_page_heap_table)i, &total);
        mw_sink_format(facts, "%s\"%s\":%u", i == 0 ? "" : ",", tables[i].name, total);
    }
    mw_sink_text(facts, "},");
    return status;
}

/* ── answers ─────────────────────────────────────────────────────────────────────── */

static mw_status add_answer(page_maker *self, const char *name, uint64_t argument)
{
    mw_heap_question question = {.arguments = {argument}};
    mw_sink *facts = &self->page->facts.sink;

    memcpy(question.name, name, strlen(name));
    mw_sink_format(facts, ",\"%s\":", name);
    return mw_heap_answer(self->study, &question, facts);
}

/* The sentence that `memwhy heap` begins with. */
static mw_status add_verdict(page_maker *self)
{
    mw_sink *facts = &self->page->facts.sink;
    mw_suspects suspects;
    mw_status status = mw_heap_suspects_init(&suspects, self->study, MW_HEAP_SHARE_PERMILLE);

    if (status != MW_OK)
        return status;
    status = mw_heap_verdict_write(self->study, &suspects, self->options->places, &self->text.sink);
    if (status == MW_OK)
        status = self->text.sink.status;
    mw_sink_text(facts, "\"verdict\":");
    mw_sink_json_string(facts, self->text.length != 0 ? self->text.bytes : "", self->text.length);
    mw_sink_text(facts, ",");
    self->text.length = 0;
    mw_suspects_done(&suspects);
    return status;
}

static mw_status add_facts(page_maker *self)
{
    mw_sink *facts = &self->page->facts.sink;
    mw_status status;

    mw_sink_text(facts, "{");
    status = add_tables(self);
    if (status == MW_OK)
        status = add_verdict(self);
    if (self->options->has_time)
        mw_sink_format(facts, "\"time_ns\":%llu,", (unsigned long long)self->options->time_ns);
    mw_sink_format(facts, "\"share\":%d,\"least\":%llu", MW_HEAP_SHARE_PERMILLE,
                   (unsigned long long)self->outline.least);
    if (status == MW_OK)
        status = add_answer(self, "summary", 0);
    if (status == MW_OK)
        status = add_answer(self, "suspects", MW_HEAP_SHARE_PERMILLE);
    if (status == MW_OK)
        status = add_answer(self, "garbage", GARBAGE_ROWS);
    mw_sink_text(facts, "}");
    return status == MW_OK ? facts->status : status;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static mw_status make(page_maker *self, uint32_t row_maximum)
{
    mw_heap_study *study = self->study;
    mw_status status = mw_outline_init(&self->outline, study, row_maximum);

    if (status != MW_OK)
        return status;
    self->types = mw_alloc_array(study->alloc, study->view->type_count, sizeof *self->types);
    self->lines = mw_alloc_array(study->alloc, study->lines.count + 1, sizeof *self->lines);
    if (self->types == NULL || self->lines == NULL)
        return MW_NO_MEMORY;
    status = mw_heap_study_back(study, &self->back);
    if (status == MW_OK)
        status = add_rows(self);
    return status == MW_OK ? add_facts(self) : status;
}

mw_status mw_heap_page_init(mw_page_heap *ret_page, mw_heap_study *study,
                            const mw_heap_page_options *options, mw_alloc *alloc)
{
    page_maker self = {.page = ret_page, .study = study, .options = options};
    mw_status status = mw_page_heap_init(ret_page, alloc);

    if (status != MW_OK)
        return status;
    mw_buffer_init(&self.text, study->alloc);
    status = make(&self, options->row_maximum);
    mw_buffer_done(&self.text);
    mw_alloc_release(study->alloc, self.lines, (study->lines.count + 1) * sizeof *self.lines);
    mw_alloc_release(study->alloc, self.types, study->view->type_count * sizeof *self.types);
    mw_outline_done(&self.outline);
    if (status != MW_OK)
        mw_page_heap_done(ret_page);
    return status;
}
