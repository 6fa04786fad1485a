/* SPDX-License-Identifier: MIT */
#include "pyext/current_site.h"

const PyInterpreterState *mw_main_interpreter;

/* An instruction before RESUME counts in a generator's frame and is passed over in a
 * function's, which the cache could not tell apart. */
static bool may_be_cached(const mw_py_frame *frame)
{
    const PyCodeObject *code = frame != NULL ? mw_frames_code(frame) : NULL;

    return code == NULL || !mw_frames_is_before_resume(frame, code);
}

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
    if (may_be_cached(frame))
        mw_site_cache_put(&tracer->cache, key, caller, site);
    return site;
}
