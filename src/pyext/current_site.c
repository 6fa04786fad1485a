/* SPDX-License-Identifier: MIT */
#include "pyext/current_site.h"

const PyInterpreterState *mw_main_interpreter;

mw_site mw_current_site_find(mw_tracer *tracer, mw_path caller, const mw_py_frame *frame,
                             size_t size_bytes, uint64_t key)
{
    mw_path path = caller;
    mw_site site = {0};
    mw_status status = MW_OK;

    if (frame != NULL)
        status = mw_stack_walk_step(tracer, caller, frame, &path);
    if (status == MW_OK)
        status = mw_tracer_site(tracer, path, MW_DOMAIN_PYTHON, size_bytes, &site);
    if (status != MW_OK)
        return (mw_site){0};
    if (frame == NULL || !mw_stack_marks_is_strange(frame))
        mw_site_cache_put(&tracer->cache, key, caller, site);
    return site;
}
