/* SPDX-License-Identifier: MIT */
#include "render/frame_names.h"

#include "core/region.h"

static void write_string(mw_sink *sink, const mw_snapshot *snapshot, mw_string string,
                         const char *special)
{
    size_t length;
    const char *bytes = mw_snapshot_string(snapshot, string, &length);

    mw_sink_escaped(sink, bytes, length, special);
}

static void write_place(mw_sink *sink, const mw_snapshot *snapshot, mw_frame_row row)
{
    if (row.file.index == 0)
        mw_sink_text(sink, "<unknown>");
    else if (row.function.index == 0 && row.line <= 0)
        /* A number at the end, behind a blank, would be taken for a column of the line. */
        write_string(sink, snapshot, row.file, MW_STACK_SEPARATOR " ");
    else
        write_string(sink, snapshot, row.file, MW_STACK_SEPARATOR);
    if (row.line > 0) {
        mw_sink_text(sink, ":");
        mw_sink_signed(sink, row.line);
    }
}

void mw_frame_name_write(mw_sink *sink, const mw_snapshot *snapshot, mw_frame_row row)
{
    if (row.function.index == 0) {
        write_place(sink, snapshot, row);
        return;
    }
    write_string(sink, snapshot, row.function, MW_STACK_SEPARATOR);
    mw_sink_text(sink, " (");
    write_place(sink, snapshot, row);
    mw_sink_text(sink, ")");
}

mw_status mw_frame_names_init(mw_frame_names *ret_names, const mw_call_tree *tree, mw_alloc *alloc)
{
    mw_frame_names names = {.count = tree->frame_count};
    mw_status status;

    mw_buffer_init(&names.text, alloc);
    names.offsets = mw_alloc_array(alloc, (size_t)names.count + 1, sizeof *names.offsets);
    if (names.offsets == NULL)
        names.text.sink.status = MW_NO_MEMORY;
    for (uint32_t i = 1; i < names.count && names.text.sink.status == MW_OK; i++) {
        const mw_call_frame *frame = &tree->frames[i];
        mw_frame_name_write(&names.text.sink, frame->snapshot, frame->row);
        names.offsets[i + 1] = names.text.length;
    }
    status = names.text.sink.status;
    if (status != MW_OK)
        mw_frame_names_done(&names);
    *ret_names = names;
    return status;
}

void mw_frame_names_done(mw_frame_names *names)
{
    if (names->text.alloc != NULL)
        mw_alloc_release(names->text.alloc, names->offsets,
                         ((size_t)names->count + 1) * sizeof *names->offsets);
    mw_buffer_done(&names->text);
    *names = (mw_frame_names){0};
}

/* Marks the frames that are regions; returns whether there is one. */
static bool find_regions(const mw_call_tree *tree, bool *are_regions)
{
    bool has_any = false;

    for (uint32_t i = 1; i < tree->frame_count; i++) {
        are_regions[i] = mw_region_is_row(tree->frames[i].snapshot, tree->frames[i].row);
        has_any |= are_regions[i];
    }
    return has_any;
}

mw_status mw_call_tree_regions(const mw_call_tree *tree, mw_alloc *alloc, uint32_t **ret_regions)
{
    bool *are_regions = mw_alloc_array(alloc, tree->frame_count, sizeof *are_regions);
    uint32_t *regions = NULL;
    mw_status status = are_regions == NULL ? MW_NO_MEMORY : MW_OK;

    if (status == MW_OK && find_regions(tree, are_regions)) {
        regions = mw_alloc_array(alloc, tree->node_count, sizeof *regions);
        status = regions == NULL ? MW_NO_MEMORY : MW_OK;
    }
    /* Callers come first. */
    for (uint32_t i = 1; i < tree->node_count && regions != NULL; i++)
        regions[i] = are_regions[tree->nodes[i].frame] ? i : regions[tree->nodes[i].caller];
    mw_alloc_release(alloc, are_regions, tree->frame_count * sizeof *are_regions);
    *ret_regions = regions;
    return status;
}
