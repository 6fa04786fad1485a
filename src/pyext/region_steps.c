/* SPDX-License-Identifier: MIT */
#include "pyext/region_steps.h"

#include <string.h>

/* By name: its instruction in the main tables; 0: not known yet. */
static mw_instruction known_in_main[MW_REGION_NAME_COUNT];

void mw_region_steps_begin(void)
{
    memset(known_in_main, 0, sizeof known_in_main);
}

static mw_status take_one(mw_tracer *tracer, mw_region_name name, mw_path *path)
{
    mw_instruction *known = &known_in_main[name.index];
    mw_status status = MW_OK;

    if (known->index == 0)
        status = mw_regions_instruction(&tracer->codes, name, known);
    if (status == MW_OK)
        status = mw_path_trie_child(&tracer->paths, *path, *known, path);
    return status;
}

mw_status mw_region_steps_take(mw_tracer *tracer, const mw_py_frame *frame, mw_path *path)
{
    mw_frame_regions regions;
    mw_status status = MW_OK;

    mw_regions_of(frame, &regions);
    for (uint32_t index = 0; index < regions.count && status == MW_OK; index++)
        status = take_one(tracer, regions.names[index], path);
    return status;
}

mw_status mw_region_steps_take_raw(mw_raw_lane *lane, const mw_py_frame *frame, mw_path *path)
{
    mw_frame_regions regions;
    mw_status status = MW_OK;

    mw_regions_of_raw(frame, &regions);
    for (uint32_t index = 0; index < regions.count && status == MW_OK; index++) {
        mw_instruction instruction;

        status = mw_regions_instruction(&lane->codes, regions.names[index], &instruction);
        if (status == MW_OK)
            status = mw_path_trie_child(&lane->paths, *path, instruction, path);
    }
    return status;
}
