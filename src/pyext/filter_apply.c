/* SPDX-License-Identifier: MIT
 *
 * Snapshot.filter_traces() on tables.  A Filter or DomainFilter with plain attributes
 * becomes a mw_filter, and then nothing costs more than the sites.  Any other object with
 * `inclusive` and `_match` is asked in Python, once per site and size.
 */
#include "core/filter.h"
#include "core/snapshot_tables.h"
#include "pyext/filter_read.h"
#include "pyext/raise.h"
#include "pyext/types.h"

typedef struct applied_filter {
    PyObject *object;    /* borrowed from the list                            */
    bool is_native;      /* whether what was read says all the object would   */
    mw_read_filter read; /* of other objects `inclusive` counts alone         */
} applied_filter;

typedef struct mw_application {
    mw_module_state *state;
    mw_faces *faces;
    PyObject *list; /* one reference: it may be the caller's own */
    applied_filter *filters;
    size_t count;
    bool all_native;
} mw_application;

/* ── reading filters ─────────────────────────────────────────────────────────────── */

static int read_filters(mw_application *application)
{
    application->all_native = true;
    for (size_t i = 0; i < application->count; i++) {
        applied_filter *applied = &application->filters[i];

        applied->object = PyList_GET_ITEM(application->list, (Py_ssize_t)i);
        int native = mw_filter_read(application->state, applied->object, &applied->read);
        if (native < 0)
            return -1;
        applied->is_native = native;
        application->all_native &= applied->is_native;
    }
    return 0;
}

/* ── asking ──────────────────────────────────────────────────────────────────────── */

/* 1, 0, or -1 with an exception. */
static int filter_answer(mw_application *application, const applied_filter *applied, mw_site site,
                         PyObject *raw)
{
    if (applied->is_native) {
        const mw_snapshot *snapshot = mw_faces_snapshot(application->faces);
        mw_site_row row = mw_snapshot_site(snapshot, site);
        return mw_filter_matches(&applied->read.native, snapshot, row.traceback, row.domain);
    }
    PyObject *answer =
        PyObject_CallMethodOneArg(applied->object, application->state->names.match, raw);
    int truth = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return truth;
}

/* Inclusive filters first, until one matches; then exclusive ones, until one does not. */
static int keep_raw(mw_application *application, mw_site site, PyObject *raw)
{
    bool has_inclusive = false, included = false;

    for (size_t i = 0; i < application->count && !included; i++) {
        if (!application->filters[i].read.native.inclusive)
            continue;
        int matches = filter_answer(application, &application->filters[i], site, raw);
        if (matches < 0)
            return -1;
        has_inclusive = true;
        included = matches;
    }
    if (has_inclusive && !included)
        return 0;
    for (size_t i = 0; i < application->count; i++) {
        if (application->filters[i].read.native.inclusive)
            continue;
        int matches = filter_answer(application, &application->filters[i], site, raw);
        if (matches <= 0)
            return matches;
    }
    return 1;
}

static int keep_block(mw_application *application, mw_site site, uint64_t size_bytes)
{
    PyObject *raw = mw_faces_raw_trace(application->faces, site, size_bytes);
    int keep = raw != NULL ? keep_raw(application, site, raw) : -1;

    Py_XDECREF(raw);
    return keep;
}

/* What is known of a site: the answer for blocks of one size. */
typedef struct site_answer {
    uint64_t size_bytes;
    bool is_known;
} site_answer;

/* Fills keep[].  Returns 1; 0 when a filter tells blocks of one site apart by their size;
 * -1 with an exception. */
static int ask_all(mw_application *application, bool *keep, site_answer *answers)
{
    const mw_snapshot *snapshot = mw_faces_snapshot(application->faces);

    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        mw_site site = snapshot->runs[i].site;
        uint64_t size_bytes = snapshot->runs[i].size_bytes;
        site_answer *known = &answers[site.index];
        if (known->is_known && known->size_bytes == size_bytes)
            continue;
        int answer = keep_block(application, site, size_bytes);
        if (answer < 0)
            return -1;
        if (known->is_known && keep[site.index] != answer)
            return 0;
        keep[site.index] = answer;
        *known = (site_answer){size_bytes, true};
    }
    return 1;
}

static int select_by_asking(mw_application *application, mw_snapshot **ret_snapshot)
{
    mw_alloc *alloc = mw_alloc_system();
    mw_snapshot *snapshot = mw_faces_snapshot(application->faces);
    size_t sites = (size_t)mw_snapshot_site_count(snapshot) + 1;
    bool *keep = mw_alloc_array(alloc, sites, sizeof *keep);
    site_answer *answers = mw_alloc_array(alloc, sites, sizeof *answers);
    mw_status status = keep != NULL && answers != NULL ? MW_OK : MW_NO_MEMORY;
    int result = 1;

    if (status == MW_OK)
        result = ask_all(application, keep, answers);
    if (status == MW_OK && result > 0)
        status = mw_snapshot_select(snapshot, keep, ret_snapshot);
    if (status != MW_OK) {
        mw_raise(status, NULL);
        result = -1;
    }
    mw_alloc_release(alloc, keep, sites * sizeof *keep);
    mw_alloc_release(alloc, answers, sites * sizeof *answers);
    return result;
}

static int select_natively(mw_application *application, mw_snapshot **ret_snapshot)
{
    mw_alloc *alloc = mw_alloc_system();
    mw_filter *filters = mw_alloc_array(alloc, application->count, sizeof *filters);
    mw_status status = MW_NO_MEMORY;

    if (filters != NULL) {
        for (size_t i = 0; i < application->count; i++)
            filters[i] = application->filters[i].read.native;
        status = mw_snapshot_filter(mw_faces_snapshot(application->faces), filters,
                                    application->count, ret_snapshot);
    }
    mw_alloc_release(alloc, filters, application->count * sizeof *filters);
    if (status == MW_OK)
        return 1;
    mw_raise(status, NULL);
    return -1;
}

/* ── public ──────────────────────────────────────────────────────────────────────── */

static void application_done(mw_application *application)
{
    for (size_t i = 0; application->filters != NULL && i < application->count; i++) {
        mw_read_filter_done(&application->filters[i].read);
    }
    mw_alloc_release(mw_alloc_system(), application->filters,
                     application->count * sizeof *application->filters);
    Py_XDECREF(application->list);
}

int mw_filter_traces(mw_module_state *state, mw_faces *faces, PyObject *filters,
                     mw_snapshot **ret_snapshot)
{
    mw_application application = {.state = state, .faces = faces};
    int result = -1;

    application.list = PySequence_List(filters);
    if (application.list == NULL)
        return -1;
    application.count = (size_t)PyList_GET_SIZE(application.list);
    application.filters =
        mw_alloc_array(mw_alloc_system(), application.count, sizeof *application.filters);
    if (application.filters == NULL)
        PyErr_NoMemory();
    else if (read_filters(&application) == 0)
        result = application.all_native ? select_natively(&application, ret_snapshot)
                                        : select_by_asking(&application, ret_snapshot);
    application_done(&application);
    return result;
}
