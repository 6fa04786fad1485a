/* SPDX-License-Identifier: MIT
 *
 * The import slots of three functions are redirected in every object, by native/redirect.
 * The fourth is dlsym, in the interpreter and in those who load libraries for Python: it
 * is called right after a library has been loaded and before the first function of it is,
 * which is the moment to redirect the newcomer's slots.  (dlopen would be too early or, if
 * we returned to it, change who the caller is, by whom it finds libraries.)
 *
 * The original functions are always called: the standard module must hear of the block if
 * it traces too, and whatever they do to the program (take the GIL, as some versions do,
 * tracing or not) they would have done without us.  The exception is 3.11 and 3.12, where
 * its flag may be raised for our sake (standard_tracer.h) and they would take it for true.
 */
#include "pyext/capi_domains.h"

#include "native/redirect.h"
#include "pyext/current_site.h"
#include "pyext/mechanisms.h"
#include "pyext/module_state.h"
#include "pyext/stack_walk.h"
#include "pyext/standard_tracer.h"
#include "pyext/tracing.h"
#include "pyext/types.h"
#include "tracer/tracer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TRACK, UNTRACK, GET_TRACEBACK, LOOK_UP, TARGET_COUNT };

typedef int track_function(unsigned int domain, uintptr_t address, size_t size_bytes);
typedef int untrack_function(unsigned int domain, uintptr_t address);
typedef PyObject *traceback_function(unsigned int domain, uintptr_t address);
typedef void *look_up_function(void *library, const char *name);

static mw_redirect_target targets[TARGET_COUNT];
static mw_redirect redirect;

/* Owned while installed; guarded by the GIL. */
static PyObject *our_module;

/* ── tracking ────────────────────────────────────────────────────────────────────── */

/* Whether a call is not for us: nothing is traced, or it comes from within a hook, and
 * then the lane's lock may be this thread's (around fork). */
static bool is_quiet(void)
{
    return mw_guard_is_inside || !mw_the_tracer.is_active;
}

/* The stack of a caller who holds the main interpreter's GIL. */
static mw_path main_path(mw_tracer *tracer, const PyThreadState *thread, unsigned int domain)
{
    mw_path path;

    if (mw_stack_walk(tracer, thread, &path) != MW_OK)
        path = (mw_path){0};
    return mw_tracer_path_in_raw(tracer, path, domain);
}

/* Python's own domain: a block of the main lane moves to the raw one, where it can be
 * untracked without the GIL.  Its place in the main lane is taken and left, so that who
 * frees it does not take it for one that is merely older than the tracing. */
static mw_status leave_main_lane(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    mw_address_entry *place;
    mw_forgotten ignored;

    (void)mw_tracer_forget(tracer, guard, address, &ignored);
    place = mw_block_store_put_other(&tracer->blocks, address);
    if (place == NULL)
        return MW_NO_MEMORY;
    mw_address_map_remove(&tracer->blocks.others, place);
    return MW_OK;
}

static mw_status record(mw_tracer *tracer, mw_guard guard, unsigned int domain, uintptr_t address,
                        size_t size_bytes)
{
    mw_raw_lane *lane = &tracer->raw;
    const PyThreadState *thread = py_attached_thread_state();
    bool is_main = mw_current_owns_main_lane(thread);
    mw_path path = {0};
    mw_status status = MW_OK;

    if (is_main)
        path = main_path(tracer, thread, domain);
    if (is_main && domain == MW_DOMAIN_PYTHON && address != 0)
        status = leave_main_lane(tracer, guard, address);
    if (status != MW_OK)
        return status;
    if (thread == NULL)
        thread = PyGILState_GetThisThreadState();
    mw_raw_lane_lock(lane);
    if (lane->is_active) {
        if (!is_main)
            path = mw_stack_walk_raw(lane, lane->may_walk ? thread : NULL);
        status =
            mw_raw_lane_track(lane, guard, domain, address, size_bytes, path, tracer->live_bytes);
        if (is_main)
            mw_tracer_look_at_peak_in_raw(tracer);
    }
    mw_raw_lane_unlock(lane);
    return status;
}

enum { NOT_TRACING = -2 };

/* Whether the original would act on a flag that is not the standard module's own. */
static bool is_deceived(void)
{
#if MW_HAS_STANDARD_TRACER
    return mw_standard_tracer_is_deceived();
#else
    return false;
#endif
}

static int standard_track(unsigned int domain, uintptr_t address, size_t size_bytes)
{
    if (is_deceived())
        return NOT_TRACING;
    return ((track_function *)targets[TRACK].original)(domain, address, size_bytes);
}

static int standard_untrack(unsigned int domain, uintptr_t address)
{
    if (is_deceived())
        return NOT_TRACING;
    return ((untrack_function *)targets[UNTRACK].original)(domain, address);
}

static int traced_track(unsigned int domain, uintptr_t address, size_t size_bytes)
{
    int standard = standard_track(domain, address, size_bytes);
    mw_status status;
    mw_guard guard;

    if (is_quiet())
        return standard;
    guard = mw_guard_enter();
    status = record(&mw_the_tracer, guard, domain, address, size_bytes);
    mw_guard_leave(guard);
    return status == MW_OK ? 0 : -1;
}

static void forget(mw_tracer *tracer, mw_guard guard, unsigned int domain, uintptr_t address)
{
    mw_raw_lane *lane = &tracer->raw;
    mw_forgotten ignored;
    bool is_known;

    mw_raw_lane_lock(lane);
    is_known = lane->is_active && mw_raw_lane_untrack(lane, guard, domain, address);
    mw_raw_lane_unlock(lane);
    if (!is_known && domain == MW_DOMAIN_PYTHON &&
        mw_current_owns_main_lane(py_attached_thread_state()))
        (void)mw_tracer_forget(tracer, guard, address, &ignored);
}

static int traced_untrack(unsigned int domain, uintptr_t address)
{
    int standard = standard_untrack(domain, address);
    mw_guard guard;

    if (is_quiet())
        return standard;
    guard = mw_guard_enter();
    forget(&mw_the_tracer, guard, domain, address);
    mw_guard_leave(guard);
    return 0;
}

/* ── one traceback ───────────────────────────────────────────────────────────────── */

/* _PyTraceMalloc_GetTraceback, which CPython's own tests ask: the frames as raw tuples, or
 * None.  The GIL is held. */
static PyObject *traced_get_traceback(unsigned int domain, uintptr_t address)
{
    mw_snapshot *snapshot;

    if (is_quiet() || our_module == NULL)
        return ((traceback_function *)targets[GET_TRACEBACK].original)(domain, address);
    snapshot = mw_tracing_plain_snapshot_block(domain, address);
    if (snapshot == NULL && !PyErr_Occurred())
        return ((traceback_function *)targets[GET_TRACEBACK].original)(domain, address);
    if (snapshot == NULL)
        return NULL;
    return mw_raw_traces_frames(PyModule_GetState(our_module), snapshot);
}

/* ── libraries that are loaded later ─────────────────────────────────────────────── */

/* The function of ours that stands for an original that was looked up by its name. */
static void *replacement_of(void *found)
{
    for (int i = 0; i < LOOK_UP; i++)
        if (found != NULL && found == targets[i].original)
            return targets[i].replacement;
    return found;
}

static bool is_name_of_ours(const char *name)
{
    return strstr(name, "PyTraceMalloc_") != NULL;
}

/* The last call is a jump in optimised code, so that dlsym sees its true caller. */
static void *traced_look_up(void *library, const char *name)
{
    look_up_function *original = (look_up_function *)targets[LOOK_UP].original;

    mw_redirect_refresh(&redirect);
    if (is_name_of_ours(name))
        return replacement_of(original(library, name));
    return original(library, name);
}

/* Python imports extensions in its own code; these load libraries for it. */
static const char *const loaders[] = {"_ctypes.", "_cffi_backend."};

static bool is_loader(const mw_elf_image *image, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    mw_elf_symbol found;

    if (file[0] == '\0' || (mw_elf_image_find(image, targets[TRACK].name, &found)))
        return true;
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
        if (strncmp(name, loaders[i], strlen(loaders[i])) == 0)
            return true;
    return false;
}

static mw_redirect_target targets[TARGET_COUNT] = {
    [TRACK] = {.name = "PyTraceMalloc_Track", .replacement = (void *)traced_track},
    [UNTRACK] = {.name = "PyTraceMalloc_Untrack", .replacement = (void *)traced_untrack},
    [GET_TRACEBACK] = {.name = "_PyTraceMalloc_GetTraceback",
                       .replacement = (void *)traced_get_traceback},
    [LOOK_UP] = {.name = "dlsym", .replacement = (void *)traced_look_up, .is_wanted = is_loader},
};

/* ── installing ──────────────────────────────────────────────────────────────────── */

static void report(void)
{
    static char detail[120];
    unsigned int count =
        mw_redirect_count(&redirect, TRACK) + mw_redirect_count(&redirect, UNTRACK);
    unsigned int refused = redirect.refused_count + redirect.foreign_count;

    if (targets[TRACK].original == NULL || targets[UNTRACK].original == NULL) {
        mw_mechanism_report(MW_MECHANISM_CAPI_DOMAINS, false,
                            "this interpreter does not export PyTraceMalloc_Track");
        return;
    }
    if (count == 0 && refused == 0)
        snprintf(detail, sizeof detail, "no library that is loaded imports PyTraceMalloc_Track");
    else if (refused == 0)
        snprintf(detail, sizeof detail, "%u import slots redirected", count);
    else
        snprintf(detail, sizeof detail, "%u import slots redirected, %u held by others or refused",
                 count, refused);
    mw_mechanism_report(MW_MECHANISM_CAPI_DOMAINS, true, detail);
}

void mw_capi_domains_install(PyObject *module)
{
    if (mw_mechanism_is_disabled(MW_MECHANISM_CAPI_DOMAINS))
        return;
    Py_XSETREF(our_module, Py_NewRef(module));
    mw_redirect_apply(&redirect);
    report();
}

void mw_capi_domains_remove(void)
{
    if (mw_mechanism_is_disabled(MW_MECHANISM_CAPI_DOMAINS))
        return;
    mw_redirect_undo(&redirect);
    Py_CLEAR(our_module);
    mw_mechanism_report(MW_MECHANISM_CAPI_DOMAINS, false, "not tracing");
}

void mw_capi_domains_refresh(void)
{
    if (mw_mechanism_is_disabled(MW_MECHANISM_CAPI_DOMAINS))
        return;
    mw_redirect_refresh(&redirect);
    report();
}

static void before_fork(void)
{
    mw_redirect_before_fork(&redirect);
}

static void after_fork(void)
{
    mw_redirect_after_fork(&redirect);
}

int mw_capi_domains_init(void)
{
    static bool is_done;

    if (is_done)
        return 0;
    mw_redirect_init(&redirect, mw_alloc_pages(), targets, TARGET_COUNT);
    if (pthread_atfork(before_fork, after_fork, after_fork) != 0)
        return -1;
    is_done = true;
    return 0;
}
