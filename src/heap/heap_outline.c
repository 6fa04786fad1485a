/* SPDX-License-Identifier: MIT
 *
 * Row by row, in the order in which they are made: what a row's members dominate is looked at
 * twice, first to add up by type and line, then to note the members of what has become a row.
 * Nothing is looked at that is below the rest, so all of it takes two looks at each object at
 * most.  When there are too many rows, they must retain twice as much, and all begins anew.
 */
#include "heap/heap_outline.h"

#include "base/hash.h"
#include "base/hash_index.h"

enum {
    SHARES = 20000,    /* a row has one of so many parts of the heap, at least */
    MUCH_SHARES = 200, /* one of so many is much                               */
};

/* Objects that are alike, below one row. */
typedef struct like_group {
    mw_outline_row sum;
    uint64_t smallest; /* bytes that the smallest retains               */
    uint32_t row;      /* 0: too little for one, or so few that each has */
    bool are_rows;     /* each has one                                  */
} like_group;

typedef struct builder {
    mw_outline *outline;
    mw_heap_study *study;
    uint8_t *is_dict; /* owned; a bit for each position: a module's dict, which is no row */
    uint32_t row_maximum;
    like_group *groups; /* owned; [0] is unused */
    uint32_t group_count, group_capacity;
    mw_hash_index index; /* of `groups` */
} builder;

/* ── modules' dicts ──────────────────────────────────────────────────────────────── */

static uint32_t dict_position(const builder *self, uint32_t position)
{
    const mw_dominators *tree = &self->study->tree;
    uint32_t dict = tree->parent[position] == 0
                        ? mw_heap_study_module_dict(self->study, tree->node_at[position])
                        : 0;

    return dict != 0 ? tree->position_of[dict] : 0;
}

/* Dicts that are counted with their modules. */
static mw_status find_dicts(builder *self)
{
    const mw_dominators *tree = &self->study->tree;
    const mw_object_graph *graph = self->study->view->graph;

    self->is_dict = mw_alloc_new(self->study->alloc, tree->count / 8 + 1);
    if (self->is_dict == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t position = tree->position_of[graph->roots[i].node];
        uint32_t dict = graph->roots[i].kind == MW_ROOT_MODULE ? dict_position(self, position) : 0;

        if (dict != 0)
            self->is_dict[dict / 8] |= (uint8_t)(1u << dict % 8);
    }
    return MW_OK;
}

static bool is_dict_of_module(const builder *self, uint32_t position)
{
    return (self->is_dict[position / 8] >> position % 8 & 1) != 0;
}

/* ── rows and members ────────────────────────────────────────────────────────────── */

static mw_status add_row(builder *self, const mw_outline_row *row, uint32_t *ret_number)
{
    mw_outline *outline = self->outline;
    mw_status status = MW_LIMIT;

    if (outline->count < self->row_maximum)
        status = mw_alloc_grow(outline->alloc, &outline->rows, outline->count, &outline->capacity,
                               sizeof *row, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_number = outline->count++;
    outline->rows[*ret_number] = *row;
    return MW_OK;
}

static mw_status reserve_members(mw_outline *outline, uint32_t count)
{
    mw_status status = MW_OK;

    while (status == MW_OK && outline->member_capacity - outline->member_count < count)
        status = mw_alloc_grow(outline->alloc, &outline->members, outline->member_capacity,
                               &outline->member_capacity, sizeof *outline->members, UINT32_MAX);
    return status;
}

static void add_sum(mw_outline_row *to, const mw_outline_row *from)
{
    to->member_count += from->member_count;
    to->count += from->count;
    to->size += from->size;
    to->objects += from->objects;
    to->retained += from->retained;
}

static void hang(const builder *self, uint32_t parent, mw_outline_row *row)
{
    const mw_outline_row *above = &self->outline->rows[parent];

    row->parent = parent;
    row->depth = above->depth + 1;
    row->alike = parent != 0 && row->kind != MW_OUTLINE_REST && row->type == above->type &&
                         row->line == above->line
                     ? above->alike + 1
                     : 0;
}

/* What the object at [position] would be as a row. */
static mw_outline_row row_of(const builder *self, uint32_t position)
{
    const mw_dominators *tree = &self->study->tree;
    const mw_object_graph *graph = self->study->view->graph;
    const uint32_t *lines = self->study->lines.of_node;
    uint32_t node = tree->node_at[position], dict = dict_position(self, position);
    mw_outline_row row = {.kind = MW_OUTLINE_ONE,
                          .type = graph->nodes[node].type,
                          .line = lines != NULL ? lines[node] : 0,
                          .member_count = 1,
                          .count = 1,
                          .size = mw_object_graph_size(graph, node),
                          .objects = tree->end[position] - position,
                          .retained = mw_dominators_retained(tree, position)};

    if (dict == 0)
        return row;
    row.member_count = 2;
    row.size += mw_object_graph_size(graph, tree->node_at[dict]);
    row.objects += tree->end[dict] - dict;
    row.retained += mw_dominators_retained(tree, dict);
    return row;
}

/* Objects of the row itself, a module's dict included; the root of all roots is none. */
static uint64_t own_objects(const mw_outline_row *row)
{
    return row->depth == 0 ? 0 : row->member_count;
}

static void put_members(builder *self, mw_outline_row *row, uint32_t position)
{
    uint32_t *members = self->outline->members + row->first_member;
    uint32_t dict = dict_position(self, position);

    members[row->member_count++] = position;
    if (dict != 0)
        members[row->member_count++] = dict;
}

/* ── what is below a row ─────────────────────────────────────────────────────────── */

static mw_status find_group(builder *self, const mw_outline_row *row, uint32_t *ret_number)
{
    uint64_t hash = mw_hash_combine(row->type, row->line);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;

    while ((*ret_number = mw_hash_index_next(&self->index, &probe)) != 0) {
        const mw_outline_row *sum = &self->groups[*ret_number].sum;
        if (sum->type == row->type && sum->line == row->line)
            return MW_OK;
    }
    status = mw_hash_index_reserve(&self->index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(self->study->alloc, &self->groups, self->group_count,
                               &self->group_capacity, sizeof *self->groups, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_number = self->group_count++;
    self->groups[*ret_number] =
        (like_group){.sum = {.kind = MW_OUTLINE_ALIKE, .type = row->type, .line = row->line},
                     .smallest = UINT64_MAX};
    mw_hash_index_add(&self->index, hash, *ret_number);
    return MW_OK;
}

static mw_status add_one(builder *self, const mw_outline_row *like, uint32_t position)
{
    mw_outline_row row = *like;
    uint32_t number;
    mw_status status = reserve_members(self->outline, row.member_count);

    row.first_member = self->outline->member_count;
    if (status == MW_OK)
        status = add_row(self, &row, &number);
    if (status != MW_OK)
        return status;
    self->outline->member_count += row.member_count;
    self->outline->rows[number].member_count = 0;
    put_members(self, &self->outline->rows[number], position);
    return MW_OK;
}

/* Whether it has a row of its own whatever is beside it. */
static bool is_much(const builder *self, const mw_outline_row *row)
{
    bool is_module = row->member_count > 1;

    return row->retained >= (is_module ? self->outline->least : self->outline->much);
}

/* The first look: rows for what is much by itself, sums of all else. */
static mw_status look_at(builder *self, uint32_t parent, uint32_t position)
{
    mw_outline_row row = row_of(self, position);
    uint32_t number = 0;
    mw_status status;

    hang(self, parent, &row);
    if (is_much(self, &row))
        return add_one(self, &row, position);
    status = find_group(self, &row, &number);
    if (status != MW_OK)
        return status;
    add_sum(&self->groups[number].sum, &row);
    if (row.retained < self->groups[number].smallest)
        self->groups[number].smallest = row.retained;
    return MW_OK;
}

/* The second: members of what has become a row, and rows for the few. */
static mw_status look_again(builder *self, uint32_t parent, uint32_t position)
{
    mw_outline_row row = row_of(self, position);
    uint32_t number = 0;
    mw_status status;

    hang(self, parent, &row);
    if (is_much(self, &row))
        return MW_OK;
    status = find_group(self, &row, &number);
    if (status == MW_OK && self->groups[number].are_rows)
        return add_one(self, &row, position);
    if (status == MW_OK && self->groups[number].row != 0)
        put_members(self, &self->outline->rows[self->groups[number].row], position);
    return status;
}

static bool is_like(const builder *self, const mw_outline_row *row, uint32_t position)
{
    const uint32_t *lines = self->study->lines.of_node;
    uint32_t node = self->study->tree.node_at[position];

    return self->study->view->graph->nodes[node].type == row->type &&
           (lines != NULL ? lines[node] : 0) == row->line;
}

static bool is_chain(const mw_outline_row *row)
{
    return row->alike >= MW_OUTLINE_CHAIN;
}

/* The last row of a chain stands for all links that follow. */
static mw_status take_links(builder *self, uint32_t number)
{
    const mw_dominators *tree = &self->study->tree;
    mw_outline *outline = self->outline;
    mw_outline_row row = outline->rows[number];
    uint32_t first = row.first_member, last = first + row.member_count;
    mw_status status = MW_OK;

    row.first_member = outline->member_count;
    row.kind = MW_OUTLINE_ALIKE;
    row.count = row.size = 0;
    for (uint32_t i = first; i < last && status == MW_OK; i++) {
        status = reserve_members(outline, 1);
        if (status == MW_OK)
            outline->members[outline->member_count++] = outline->members[i];
    }
    for (uint32_t i = row.first_member; i < outline->member_count && status == MW_OK; i++) {
        uint32_t member = outline->members[i];
        row.count++;
        row.size += mw_object_graph_size(self->study->view->graph, tree->node_at[member]);
        for (uint32_t at = member + 1; at < tree->end[member] && status == MW_OK;
             at = tree->end[at]) {
            if (!is_like(self, &row, at))
                continue;
            status = reserve_members(outline, 1);
            if (status == MW_OK)
                outline->members[outline->member_count++] = at;
        }
    }
    row.member_count = outline->member_count - row.first_member;
    if (row.count > outline->rows[number].count)
        outline->rows[number] = row;
    return status;
}

/* All that members of [parent] dominate directly. */
static mw_status for_all_below(builder *self, uint32_t parent, bool is_again)
{
    const mw_dominators *tree = &self->study->tree;
    mw_outline_row row = self->outline->rows[parent];
    mw_status status = MW_OK;

    for (uint32_t i = 0; i < row.member_count && status == MW_OK; i++) {
        uint32_t member = self->outline->members[row.first_member + i];

        for (uint32_t at = member + 1; at < tree->end[member] && status == MW_OK;
             at = tree->end[at]) {
            if ((member == 0 && is_dict_of_module(self, at)) ||
                (is_chain(&row) && is_like(self, &row, at)))
                continue;
            status = is_again ? look_again(self, parent, at) : look_at(self, parent, at);
        }
    }
    return status;
}

/* Rows for those that are much together; the others are the rest. */
static mw_status add_groups(builder *self, uint32_t parent)
{
    mw_outline_row rest = {.kind = MW_OUTLINE_REST};
    uint32_t number;
    mw_status status = MW_OK;

    for (uint32_t i = 1; i < self->group_count && status == MW_OK; i++) {
        like_group *group = &self->groups[i];
        mw_outline_row *sum = &group->sum;
        group->are_rows = sum->count <= MW_OUTLINE_FEW && group->smallest >= self->outline->least;
        if (sum->retained < self->outline->least)
            add_sum(&rest, sum);
        if (group->are_rows || sum->retained < self->outline->least)
            continue;
        hang(self, parent, sum);
        sum->first_member = self->outline->member_count;
        status = reserve_members(self->outline, sum->member_count);
        if (status == MW_OK)
            status = add_row(self, sum, &group->row);
        if (status != MW_OK)
            return status;
        self->outline->member_count += sum->member_count;
        self->outline->rows[group->row].member_count = 0;
    }
    hang(self, parent, &rest);
    rest.member_count = 0;
    return status == MW_OK && rest.count != 0 ? add_row(self, &rest, &number) : status;
}

/* All that is below a row which is too deep for more. */
static mw_status add_rest(builder *self, uint32_t parent)
{
    const mw_outline_row *above = &self->outline->rows[parent];
    mw_outline_row rest = {.parent = parent,
                           .depth = above->depth + 1,
                           .kind = MW_OUTLINE_REST,
                           .count = above->objects - own_objects(above),
                           .size = above->retained - above->size,
                           .objects = above->objects - own_objects(above),
                           .retained = above->retained - above->size};
    uint32_t number;

    return add_row(self, &rest, &number);
}

static mw_status expand(builder *self, uint32_t parent)
{
    mw_outline_row row = self->outline->rows[parent];
    mw_status status;

    if (row.kind == MW_OUTLINE_REST || row.objects == own_objects(&row))
        return MW_OK;
    if (row.depth >= MW_OUTLINE_DEPTH_MAXIMUM)
        return add_rest(self, parent);
    if (is_chain(&row)) {
        status = take_links(self, parent);
        if (status != MW_OK)
            return status;
    }
    self->group_count = 1;
    mw_hash_index_done(&self->index);
    mw_hash_index_init(&self->index, self->study->alloc);
    status = for_all_below(self, parent, false);
    if (status == MW_OK)
        status = add_groups(self, parent);
    return status == MW_OK ? for_all_below(self, parent, true) : status;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static mw_status build(builder *self)
{
    mw_outline *outline = self->outline;
    mw_outline_row top = {.member_count = 1,
                          .objects = self->study->tree.count - 1,
                          .retained = mw_heap_study_bytes(self->study)};
    uint32_t number;
    mw_status status = reserve_members(outline, 1);

    if (status == MW_OK)
        status = add_row(self, &top, &number);
    if (status != MW_OK)
        return status;
    outline->members[outline->member_count++] = 0;
    for (uint32_t row = 0; row < outline->count && status == MW_OK; row++)
        status = expand(self, row);
    return status;
}

/* With larger and larger rows, until there are not too many. */
static mw_status build_small(builder *self)
{
    mw_outline *outline = self->outline;
    uint64_t least = mw_heap_study_bytes(self->study) / SHARES + 1;
    mw_status status;

    for (;; least *= 2) {
        outline->count = outline->member_count = 0;
        outline->least = least;
        outline->much = mw_heap_study_bytes(self->study) / MUCH_SHARES + 1;
        if (outline->much < least)
            outline->much = least;
        status = build(self);
        if (status != MW_LIMIT)
            return status;
    }
}

mw_status mw_outline_init(mw_outline *ret_outline, mw_heap_study *study, uint32_t row_maximum)
{
    builder self = {.outline = ret_outline, .study = study, .row_maximum = row_maximum};
    mw_alloc *alloc = study->alloc;
    mw_status status;

    *ret_outline = (mw_outline){.alloc = alloc};
    mw_hash_index_init(&self.index, alloc);
    status = mw_heap_study_lines(study);
    if (status == MW_OK || status == MW_UNSUPPORTED)
        status = find_dicts(&self);
    if (status == MW_OK)
        status = mw_alloc_grow(alloc, &self.groups, 0, &self.group_capacity, sizeof *self.groups,
                               UINT32_MAX);
    if (status == MW_OK)
        status = build_small(&self);
    mw_alloc_release(alloc, self.groups, self.group_capacity * sizeof *self.groups);
    mw_alloc_release(alloc, self.is_dict, study->tree.count / 8 + 1);
    mw_hash_index_done(&self.index);
    if (status != MW_OK)
        mw_outline_done(ret_outline);
    return status;
}

void mw_outline_done(mw_outline *outline)
{
    mw_alloc *alloc = outline->alloc;

    if (alloc == NULL)
        return;
    mw_alloc_release(alloc, outline->members, outline->member_capacity * sizeof *outline->members);
    mw_alloc_release(alloc, outline->rows, outline->capacity * sizeof *outline->rows);
    *outline = (mw_outline){0};
}

bool mw_outline_is_consistent(const mw_outline *outline)
{
    mw_outline_row *sums = mw_alloc_array(outline->alloc, outline->count, sizeof *sums);
    bool is_right = sums != NULL;

    for (uint32_t i = 1; is_right && i < outline->count; i++) {
        const mw_outline_row *row = &outline->rows[i];
        is_right = row->parent < i && row->depth == outline->rows[row->parent].depth + 1 &&
                   outline->rows[row->parent].kind != MW_OUTLINE_REST &&
                   (row->kind == MW_OUTLINE_REST || row->retained >= outline->least ||
                    row->depth > MW_OUTLINE_DEPTH_MAXIMUM);
        add_sum(&sums[row->parent], row);
    }
    for (uint32_t i = 0; is_right && i < outline->count; i++) {
        const mw_outline_row *row = &outline->rows[i];
        bool is_leaf = row->kind == MW_OUTLINE_REST || row->objects == own_objects(row);
        is_right = is_leaf ? sums[i].count == 0
                           : sums[i].retained + row->size == row->retained &&
                                 sums[i].objects + own_objects(row) == row->objects;
    }
    mw_alloc_release(outline->alloc, sums, outline->count * sizeof *sums);
    return is_right;
}
