/* SPDX-License-Identifier: MIT */
#include "pyext/reuse_hooks.h"

#include "pyext/compat.h"
#include "pyext/current_site.h"

#if PY_VERSION_HEX >= 0x030D0000

/* Who listened before us. */
static PyRefTracer chained;
static void *chained_data;

/* Gives the block of a reborn object the site of now.  Blocks that are not known stay so:
 * they are older than the tracing, and tracemalloc does not adopt them either. */
static void retag(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    size_t size_bytes;
    mw_site site;

    if (!mw_current_owns_main_lane(thread))
        return;
    if (!mw_tracer_knows(tracer, address, &size_bytes))
        return;
    site = mw_current_site(tracer, thread, size_bytes);
    if (site.index != 0)
        mw_tracer_move(tracer, guard, address, site);
}

static int on_reference(PyObject *object, PyRefTracerEvent event, void *data)
{
    mw_tracer *tracer = &mw_the_tracer;

    (void)data;
    if (event == PyRefTracer_CREATE && tracer->is_active && !mw_guard_is_inside) {
        uintptr_t address = (uintptr_t)object - py_preheader_bytes(Py_TYPE(object));

        /* As a rule the object's block has just been allocated and its site is right. */
        if (address != tracer->newest_address) {
            mw_guard guard = mw_guard_enter();

            retag(tracer, guard, address);
            mw_guard_leave(guard);
        }
        tracer->newest_address = 0;
    }
    return chained != NULL ? chained(object, event, chained_data) : 0;
}

void mw_reuse_hooks_install(void)
{
    void *data;
    PyRefTracer current = PyRefTracer_GetTracer(&data);

    if (current == on_reference)
        return;
    chained = current;
    chained_data = data;
    PyRefTracer_SetTracer(on_reference, NULL);
}

/* If somebody has taken the place meanwhile (tracemalloc does not ask), it is theirs. */
void mw_reuse_hooks_remove(void)
{
    void *data;

    if (PyRefTracer_GetTracer(&data) == on_reference)
        PyRefTracer_SetTracer(chained, chained_data);
}

#else

void mw_reuse_hooks_install(void)
{
}

void mw_reuse_hooks_remove(void)
{
}

#endif
