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

/* Whether this thread is in on_reference already: somebody whom we call has called us back,
 * since after stops and starts in any order each may have chained the other. */
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

static void follow(PyObject *object)
{
    mw_tracer *tracer = &mw_the_tracer;
    uintptr_t address = (uintptr_t)object - py_preheader_bytes(Py_TYPE(object));

    /* As a rule the object's block has just been allocated and its site is right. */
    if (address != tracer->newest_address) {
        mw_guard guard = mw_guard_enter();

        retag(tracer, guard, address);
        mw_guard_leave(guard);
    }
    tracer->newest_address = 0;
}

static int on_reference(PyObject *object, PyRefTracerEvent event, void *data)
{
    int status = 0;

    (void)data;
    /* Since 3.15 there are other events, without an object, that are not for those we call. */
    if (is_inside || (event != PyRefTracer_CREATE && event != PyRefTracer_DESTROY))
        return 0;
    if (event == PyRefTracer_CREATE && mw_the_tracer.is_active && !mw_guard_is_inside)
        follow(object);
    if (chained != NULL) {
        is_inside = true;
        status = chained(object, event, chained_data);
        is_inside = false;
    }
    return status;
}

/* A tracer that refuses to go raises (3.15), which must not come out of start(). */
static void set_tracer(PyRefTracer tracer, void *data)
{
    if (PyRefTracer_SetTracer(tracer, data) < 0)
        PyErr_Clear();
}

void mw_reuse_hooks_install(void)
{
    void *data;
    PyRefTracer current = PyRefTracer_GetTracer(&data);

    if (current == on_reference)
        return;
    /* Since 3.15 a tracer is told that it has been replaced, and may free its data: then
     * the place is left to it.  tracemalloc has no data. */
    if (PY_REF_TRACERS_ARE_TOLD && current != NULL && data != NULL)
        return;
    chained = current;
    chained_data = data;
    set_tracer(on_reference, NULL);
}

/* If somebody has taken the place meanwhile (tracemalloc does not ask), it is theirs. */
void mw_reuse_hooks_remove(void)
{
    void *data;

    if (PyRefTracer_GetTracer(&data) == on_reference)
        set_tracer(chained, chained_data);
}

#else

void mw_reuse_hooks_install(void)
{
}

void mw_reuse_hooks_remove(void)
{
}

#endif
