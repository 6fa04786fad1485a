/* SPDX-License-Identifier: MIT */
#include "pyext/heap_lines.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_sizes.h"

#include "base/hash.h"
#include "tracer/tracer.h"

enum { NOT_YET = 0 };

/* The line of a site whose innermost frame is Python's; all zeros for others. */
static mw_heap_line describe(mw_site site)
{
    const mw_site_entry *entry = mw_site_table_entry(&mw_the_tracer.sites, site);
    const mw_code_table *codes = &mw_the_tracer.codes;
    mw_instruction instruction;
    const mw_code_row *code;

    if (entry->path == 0 || mw_tracer_is_unwanted(&mw_the_tracer, site))
        return (mw_heap_line){0};
    instruction = mw_path_trie_instruction(&mw_the_tracer.paths, (mw_path){entry->path});
    if ((instruction.index & MW_INSTRUCTION_THREAD) != 0)
        return (mw_heap_line){0};
    code = &codes->codes[codes->instructions[instruction.index].code];
    return (mw_heap_line){code->file, code->function, mw_code_table_line(codes, instruction)};
}

static bool is_same(const mw_heap_line *a, const mw_heap_line *b)
{
    return a->file.index == b->file.index && a->function.index == b->function.index &&
           a->line == b->line;
}

static mw_status intern(mw_heap_lines *lines, const mw_heap_line *line, uint32_t *ret_number)
{
    uint64_t hash = mw_hash_combine((uint64_t)line->file.index << 32 | (uint32_t)line->line,
                                    line->function.index);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;

    while ((*ret_number = mw_hash_index_next(&lines->index, &probe)) != 0)
        if (is_same(&lines->items[*ret_number], line))
            return MW_OK;
    status = mw_alloc_grow(lines->alloc, &lines->items, lines->count, &lines->capacity,
                           sizeof *lines->items, UINT32_MAX);
    if (status == MW_OK)
        status = mw_hash_index_reserve(&lines->index, 1);
    if (status != MW_OK)
        return status;
    lines->items[lines->count] = *line;
    mw_hash_index_add(&lines->index, hash, lines->count);
    *ret_number = lines->count++;
    return MW_OK;
}

static mw_status line_of_site(mw_heap_lines *lines, mw_site site, uint32_t *ret_number)
{
    uint32_t *known = &lines->of_site[site.index];
    mw_status status = MW_OK;

    *ret_number = 0;
    if (*known == NOT_YET) {
        mw_heap_line line = describe(site);

        if (line.file.index != 0)
            status = intern(lines, &line, ret_number);
        *known = *ret_number + 1;
    }
    *ret_number = *known - 1;
    return status;
}

mw_status mw_heap_lines_find(mw_heap_lines *lines, PyObject *object, const mw_heap_type *type,
                             uint32_t *ret_number)
{
    mw_block_entry entry = mw_block_store_find(&mw_the_tracer.blocks, mw_heap_block(object, type));
    mw_site site = {entry.label & MW_LABEL_SITE};

    *ret_number = 0;
    return site.index != 0 ? line_of_site(lines, site, ret_number) : MW_OK;
}

static mw_status join_all(mw_heap_lines *lines, const mw_heap *heap)
{
    mw_status status = MW_OK;

    for (uint32_t node = 1; status == MW_OK && node < heap->graph.node_count; node++) {
        PyObject *object = mw_heap_object(heap, node);

        if (object != NULL)
            status = mw_heap_lines_find(lines, object, mw_heap_type_of(heap, node),
                                        &lines->of_node[node]);
    }
    return status;
}

static void end_finding(mw_heap_lines *lines)
{
    mw_alloc_release(lines->alloc, lines->of_site, lines->site_count * sizeof *lines->of_site);
    lines->of_site = NULL;
    mw_hash_index_done(&lines->index);
}

/* Sites that are made after this are of blocks that no node has. */
static void settle_births(void)
{
    bool was_inside = mw_guard_is_inside;
    mw_guard guard = mw_guard_enter();

    mw_births_settle_all(&mw_the_tracer, guard);
    if (!was_inside)
        mw_guard_leave(guard);
}

mw_status mw_heap_lines_begin(mw_heap_lines *ret_lines, mw_alloc *alloc)
{
    mw_status status;

    settle_births();
    *ret_lines = (mw_heap_lines){.alloc = alloc, .site_count = mw_the_tracer.sites.count};
    mw_hash_index_init(&ret_lines->index, alloc);
    ret_lines->of_site = mw_alloc_array(alloc, ret_lines->site_count, sizeof *ret_lines->of_site);
    status = mw_alloc_grow(alloc, &ret_lines->items, 0, &ret_lines->capacity,
                           sizeof *ret_lines->items, UINT32_MAX);
    if (status == MW_OK)
        ret_lines->count = 1;
    return ret_lines->of_site != NULL ? status : MW_NO_MEMORY;
}

mw_status mw_heap_lines_init(mw_heap_lines *ret_lines, const mw_heap *heap, mw_alloc *alloc)
{
    mw_status status;

    *ret_lines = (mw_heap_lines){0};
    if (!heap->asks_tracer)
        return MW_UNSUPPORTED;
    status = mw_heap_lines_begin(ret_lines, alloc);
    ret_lines->node_count = heap->graph.node_count;
    ret_lines->of_node = mw_alloc_array(alloc, ret_lines->node_count, sizeof *ret_lines->of_node);
    if (ret_lines->of_node == NULL)
        status = MW_NO_MEMORY;
    if (status == MW_OK)
        status = join_all(ret_lines, heap);
    end_finding(ret_lines);
    if (status != MW_OK)
        mw_heap_lines_done(ret_lines);
    return status;
}

void mw_heap_lines_done(mw_heap_lines *lines)
{
    if (lines->alloc != NULL) {
        end_finding(lines);
        mw_alloc_release(lines->alloc, lines->items, lines->capacity * sizeof *lines->items);
        mw_alloc_release(lines->alloc, lines->of_node, lines->node_count * sizeof *lines->of_node);
    }
    *lines = (mw_heap_lines){0};
}
