/* SPDX-License-Identifier: MIT */
#include "heap/heap_table.h"

#include "heap/heap_path.h"

#include <string.h>

/* ── order ───────────────────────────────────────────────────────────────────────── */

/* Whether [a] comes before [b]: the more retained, the larger, the one with the smaller
 * number. */
static bool comes_before(const mw_heap_table_row *a, const mw_heap_table_row *b)
{
    if (a->sum.retained_bytes != b->sum.retained_bytes)
        return a->sum.retained_bytes > b->sum.retained_bytes;
    if (a->sum.bytes != b->sum.bytes)
        return a->sum.bytes > b->sum.bytes;
    return a->group < b->group;
}

/* A heap sort, since qsort may ask libc for memory, and a forked child must not. */
static void sift_down(mw_heap_table_row *rows, uint32_t from, uint32_t count)
{
    for (uint32_t child; (child = 2 * from + 1) < count; from = child) {
        mw_heap_table_row row = rows[from];

        if (child + 1 < count && comes_before(&rows[child], &rows[child + 1]))
            child++;
        if (!comes_before(&row, &rows[child]))
            return;
        rows[from] = rows[child];
        rows[child] = row;
    }
}

static void sort(mw_heap_table *table)
{
    for (uint32_t i = table->count / 2; i-- > 0;)
        sift_down(table->rows, i, table->count);
    for (uint32_t left = table->count; left-- > 1;) {
        mw_heap_table_row last = table->rows[0];

        table->rows[0] = table->rows[left];
        table->rows[left] = last;
        sift_down(table->rows, 0, left);
    }
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* A row for each group that has objects; groups without are passed over. */
static mw_status fill(mw_heap_table *table, const mw_retained_sum *sums, const uint64_t *references,
                      uint32_t group_count)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < group_count; i++)
        count += sums[i].objects != 0;
    table->rows = mw_alloc_array(table->alloc, count, sizeof *table->rows);
    if (table->rows == NULL)
        return MW_NO_MEMORY;
    table->capacity = count;
    for (uint32_t i = 0; i < group_count; i++)
        if (sums[i].objects != 0)
            table->rows[table->count++] =
                (mw_heap_table_row){i, sums[i], references != NULL ? references[i] : 0};
    sort(table);
    return MW_OK;
}

static mw_status find_grouping(mw_heap_study *study, mw_heap_by by, mw_grouping *ret_grouping)
{
    mw_status status = MW_OK;

    if (by == MW_HEAP_BY_LINE)
        status = mw_heap_study_lines(study);
    if (status == MW_OK)
        *ret_grouping =
            by == MW_HEAP_BY_LINE ? mw_heap_study_by_line(study) : mw_heap_study_by_type(study);
    return status;
}

/* What a table is about, where it is about groups of a grouping. */
typedef struct subject {
    uint32_t position;         /* what is below it; unused where there is a suspect    */
    const mw_suspect *suspect; /* of kind JOINT or MANY, or NULL                       */
    bool is_whole;             /* the whole heap                                       */
} subject;

static mw_status add_up_joint(mw_heap_study *study, const mw_suspect *suspect,
                              const mw_grouping *grouping, mw_retained_sum *sums)
{
    mw_joint_row row = {.holder_count = suspect->holder_count,
                        .has_more = suspect->has_more_holders};
    const mw_back_edges *back;
    mw_status status = mw_heap_study_back(study, &back);

    if (status != MW_OK)
        return status;
    memcpy(row.holders, suspect->holders, sizeof row.holders);
    return mw_joint_sums(&row, study->view->graph, back, &study->tree, suspect->position,
                         suspect->heavy_bytes, grouping, study->alloc, sums);
}

static mw_status add_up(mw_heap_study *study, const subject *about, const mw_grouping *grouping,
                        mw_retained_sum *sums)
{
    if (about->is_whole)
        return mw_retained_by_group(&study->tree, grouping, study->alloc, sums);
    if (about->suspect == NULL)
        mw_retained_below(&study->tree, about->position, grouping, sums);
    else if (about->suspect->kind == MW_SUSPECT_JOINT)
        return add_up_joint(study, about->suspect, grouping, sums);
    else
        mw_suspect_many_sums(about->suspect, study->view->graph, &study->tree, grouping, sums);
    return MW_OK;
}

static mw_status init_groups(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by,
                             const subject *about)
{
    mw_alloc *alloc = study->alloc;
    mw_grouping grouping;
    mw_retained_sum *sums;
    mw_status status;

    *ret_table = (mw_heap_table){.alloc = alloc, .by = by};
    status = find_grouping(study, by, &grouping);
    if (status != MW_OK)
        return status;
    sums = mw_alloc_array(alloc, grouping.count, sizeof *sums);
    if (sums == NULL)
        return MW_NO_MEMORY;
    status = add_up(study, about, &grouping, sums);
    if (status == MW_OK)
        status = fill(ret_table, sums, NULL, grouping.count);
    mw_alloc_release(alloc, sums, grouping.count * sizeof *sums);
    return status;
}

mw_status mw_heap_table_init_below(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by,
                                   uint32_t node)
{
    uint32_t dict = mw_heap_study_module_dict(study, node);

    return init_groups(ret_table, study, by,
                       &(subject){.position = study->tree.position_of[dict != 0 ? dict : node]});
}

mw_status mw_heap_table_init_suspect(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by,
                                     const mw_suspect *suspect)
{
    if (suspect->kind == MW_SUSPECT_ACCUMULATES)
        return mw_heap_table_init_below(ret_table, study, by,
                                        study->tree.node_at[suspect->position]);
    return init_groups(ret_table, study, by, &(subject){.suspect = suspect});
}

/* ── modules, and what C holds ───────────────────────────────────────────────────── */

static mw_retained_sum sum_of_module(const mw_heap_study *study, uint32_t node)
{
    const mw_dominators *tree = &study->tree;
    const mw_object_graph *graph = study->view->graph;
    uint32_t dict = mw_heap_study_module_dict(study, node);
    mw_retained_sum sum = {
        .objects = tree->end[tree->position_of[node]] - tree->position_of[node],
        .bytes = mw_object_graph_size(graph, node),
        .retained_bytes = mw_heap_study_retained(study, node),
    };

    if (dict != 0) {
        sum.objects += tree->end[tree->position_of[dict]] - tree->position_of[dict];
        sum.bytes += mw_object_graph_size(graph, dict);
    }
    return sum;
}

/* What sys.modules has is a root, and behind it its dict, which is no row. */
static mw_status init_modules(mw_heap_table *table, const mw_heap_study *study)
{
    const mw_heap_view *view = study->view;
    const mw_object_graph *graph = view->graph;
    uint32_t last_dict = 0;
    mw_status status = MW_OK;

    for (uint32_t i = 0; status == MW_OK && i < graph->root_count; i++) {
        const mw_graph_root *root = &graph->roots[i];

        if (root->kind != MW_ROOT_MODULE || root->node == last_dict)
            continue;
        last_dict = view->words->module_dict(view, root->node);
        status = mw_alloc_grow(table->alloc, &table->rows, table->count, &table->capacity,
                               sizeof *table->rows, UINT32_MAX);
        if (status == MW_OK)
            table->rows[table->count++] =
                (mw_heap_table_row){i, sum_of_module(study, root->node), 0};
    }
    sort(table);
    return status;
}

static void add_up_held(const mw_heap_study *study, mw_retained_sum *sums, uint64_t *references)
{
    const mw_object_graph *graph = study->view->graph;

    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t node = graph->roots[i].node;
        uint32_t type = graph->nodes[node].type;

        if (graph->roots[i].kind != MW_ROOT_HELD_FROM_C)
            continue;
        sums[type].objects++;
        sums[type].bytes += mw_object_graph_size(graph, node);
        sums[type].retained_bytes += mw_heap_study_retained(study, node);
        references[type] += (uint64_t)graph->nodes[node].references;
    }
}

static mw_status init_held(mw_heap_table *table, const mw_heap_study *study)
{
    uint32_t type_count = study->view->type_count;
    mw_alloc *alloc = table->alloc;
    mw_retained_sum *sums = mw_alloc_array(alloc, type_count, sizeof *sums);
    uint64_t *references = mw_alloc_array(alloc, type_count, sizeof *references);
    mw_status status = MW_NO_MEMORY;

    if (sums != NULL && references != NULL) {
        add_up_held(study, sums, references);
        status = fill(table, sums, references, type_count);
    }
    mw_alloc_release(alloc, references, type_count * sizeof *references);
    mw_alloc_release(alloc, sums, type_count * sizeof *sums);
    return status;
}

/* ── the table ───────────────────────────────────────────────────────────────────── */

mw_status mw_heap_table_init(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by)
{
    *ret_table = (mw_heap_table){.alloc = study->alloc, .by = by};
    if (by == MW_HEAP_BY_MODULE)
        return init_modules(ret_table, study);
    if (by == MW_HEAP_BY_HELD)
        return init_held(ret_table, study);
    return init_groups(ret_table, study, by, &(subject){.is_whole = true});
}

void mw_heap_table_done(mw_heap_table *table)
{
    if (table->alloc != NULL)
        mw_alloc_release(table->alloc, table->rows, table->capacity * sizeof *table->rows);
    *table = (mw_heap_table){0};
}

void mw_heap_table_write_name(const mw_heap_table *table, const mw_heap_study *study,
                              const mw_heap_table_row *row, mw_sink *sink)
{
    const mw_heap_view *view = study->view;
    mw_heap_place place;

    if (table->by == MW_HEAP_BY_MODULE) {
        view->words->write_root(view, &view->graph->roots[row->group], sink);
    } else if (table->by != MW_HEAP_BY_LINE) {
        view->words->write_type(view, row->group, sink);
    } else {
        place = row->group != 0 ? view->words->place(view, row->group) : (mw_heap_place){0};
        mw_heap_place_write(&place, sink);
    }
}
