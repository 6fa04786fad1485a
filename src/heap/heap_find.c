/* SPDX-License-Identifier: MIT
 *
 * A way is followed as it was written: at each object, the reference whose name the rest of
 * the text begins with, the longest if there are several.  As ways leave `.__dict__` out,
 * `.name` is looked for there too.
 */
#include "heap/heap_find.h"

#include "heap/heap_path.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct finder {
    mw_heap_study *study;
    const char *what;
    mw_buffer text; /* a name that is being compared */
} finder;

static mw_status fail_memory(mw_error *reterr)
{
    return mw_error_set(reterr, MW_NO_MEMORY, "there is not enough memory for looking this up.");
}

static const char *text_of(const finder *self)
{
    return self->text.length != 0 ? self->text.bytes : "";
}

/* ── by address ──────────────────────────────────────────────────────────────────── */

static bool is_number(const char *what)
{
    return isdigit((unsigned char)*what) != 0;
}

static mw_status find_address(finder *self, mw_heap_found *found, mw_error *reterr)
{
    const mw_heap_view *view = self->study->view;
    unsigned long long address;
    char *end;

    errno = 0;
    address = strtoull(self->what, &end, 0);
    if (*end != '\0' || errno != 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "\"%.60s\" is no address: that is 0x… or a decimal number.",
                            self->what);
    found->nodes[0] = view->words->find(view, address);
    if (found->nodes[0] == 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "this heap has no object at 0x%llx: it was made later, or had died.",
                            address);
    found->count = 1;
    found->total = 1;
    return MW_OK;
}

/* ── by way ──────────────────────────────────────────────────────────────────────── */

static bool is_path(const char *what)
{
    return *what == '<' || strncmp(what, "sys.modules", 11) == 0 ||
           strncmp(what, "gc.garbage", 10) == 0;
}

/* Whether a name may end where [rest] begins. */
static bool is_boundary(const char *rest)
{
    return *rest == '\0' || strchr(".[( ", *rest) != NULL;
}

/* Whether [rest] begins with these bytes, among which a program's name may have a NUL. */
static bool begins_with(const char *rest, const char *bytes, size_t length)
{
    return strnlen(rest, length) == length && memcmp(rest, bytes, length) == 0;
}

/* What is left of [rest] behind the name in `text`, or NULL if it does not begin with it. */
static const char *behind_name(const finder *self, const char *rest)
{
    size_t length = self->text.length;

    while (*rest == ' ')
        rest++;
    if (length == 0 || !begins_with(rest, self->text.bytes, length))
        return NULL;
    return is_boundary(rest + length) ? rest + length : NULL;
}

/* The same for `['name']` in `text` where [rest] has `.name`. */
static const char *behind_attribute(const finder *self, const char *rest)
{
    size_t length = self->text.length;

    if (length < 5 || *rest != '.' || memcmp(self->text.bytes, "['", 2) != 0)
        return NULL;
    if (!begins_with(rest + 1, self->text.bytes + 2, length - 4))
        return NULL;
    return is_boundary(rest + length - 3) ? rest + length - 3 : NULL;
}

/* One step from [node]: the node that it leads to, or 0; [rest] moves on.  A dict of
 * attributes is on the way, not a step. */
static uint32_t step_from(finder *self, uint32_t node, const char **rest, bool through_dict)
{
    const mw_heap_view *view = self->study->view;
    const mw_object_graph *graph = view->graph;
    const char *furthest = *rest;
    uint32_t found = 0, dict = 0;

    for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++) {
        const char *behind;

        self->text.length = 0;
        if (view->words->write_edge_at != NULL)
            view->words->write_edge_at(view, node, i - graph->first_edge[node], &self->text.sink);
        else
            view->words->write_edge(view, node, graph->edges[i], &self->text.sink);
        behind = behind_name(self, *rest);
        if (behind == NULL && through_dict)
            behind = behind_attribute(self, *rest);
        if (behind > furthest) {
            furthest = behind;
            found = graph->edges[i];
        }
        if (strcmp(text_of(self), ".__dict__") == 0)
            dict = graph->edges[i];
    }
    if (found == 0 && dict != 0 && !through_dict)
        return step_from(self, dict, rest, true);
    *rest = furthest;
    return found;
}

/* The root that the way begins with, and what follows it. */
static uint32_t find_root(finder *self, const char **ret_rest)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t found = 0;

    *ret_rest = self->what;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        const mw_graph_root *root = &graph->roots[i];
        const char *behind;

        if (root->kind > MW_ROOT_INTERPRETER && *self->what != '<')
            continue;
        self->text.length = 0;
        mw_heap_path_write_root(self->study, root->node, &self->text.sink);
        behind = behind_name(self, self->what);
        if (behind != NULL && behind > *ret_rest) {
            *ret_rest = behind;
            found = root->node;
        }
    }
    return found;
}

static mw_status find_path(finder *self, mw_heap_found *found, mw_error *reterr)
{
    const mw_heap_view *view = self->study->view;
    const char *rest;
    uint32_t node = find_root(self, &rest);

    if (node == 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "no way in this heap begins as \"%.100s\" does.",
                            self->what);
    while (*rest != '\0') {
        bool is_module_dict = view->words->module_dict(view, node) == 0 &&
                              mw_heap_study_root(self->study, node) != NULL;
        const char *before = rest;

        node = step_from(self, node, &rest, is_module_dict);
        if (node == 0)
            return mw_error_set(
                reterr, MW_BAD_INPUT, "this heap has nothing at \"%.*s\" of \"%.100s\".",
                (int)(strlen(before) < 60 ? strlen(before) : 60), before, self->what);
    }
    found->nodes[0] = node;
    found->count = 1;
    found->total = 1;
    return MW_OK;
}

/* ── by type ─────────────────────────────────────────────────────────────────────── */

/* How well a type's name fits: 2 the same, 1 the same without its module, 0 another. */
static int fit_of(const finder *self)
{
    size_t length = strlen(self->what), all = self->text.length;

    if (all < length || memcmp(text_of(self) + all - length, self->what, length) != 0)
        return 0;
    if (all == length)
        return 2;
    return text_of(self)[all - length - 1] == '.' ? 1 : 0;
}

/* Marks the types that fit best in [is_wanted]; returns whether there are any. */
static bool choose_types(finder *self, uint8_t *is_wanted)
{
    const mw_heap_view *view = self->study->view;
    int best = 0;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t type = 0; type < view->type_count; type++) {
            int fit;

            self->text.length = 0;
            view->words->write_type(view, type, &self->text.sink);
            fit = fit_of(self);
            if (pass == 0 && fit > best)
                best = fit;
            is_wanted[type] = pass == 1 && best != 0 && fit == best;
        }
    return best != 0;
}

/* Keeps [node] in its place among those found, if it is among the [limit] that retain most. */
static void keep(const mw_heap_study *study, mw_heap_found *found, uint32_t node, uint32_t limit)
{
    uint64_t bytes = mw_heap_study_retained(study, node);
    uint32_t place = found->count;

    found->total++;
    if (place == limit) {
        if (mw_heap_study_retained(study, found->nodes[limit - 1]) >= bytes)
            return;
        place--;
    } else {
        found->count++;
    }
    for (; place > 0 && mw_heap_study_retained(study, found->nodes[place - 1]) < bytes; place--)
        found->nodes[place] = found->nodes[place - 1];
    found->nodes[place] = node;
}

static mw_status fail_type(const finder *self, mw_error *reterr)
{
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "this heap has no object of a type called \"%.80s\"; an address is 0x… or "
                        "decimal, and a way begins with sys.modules['…'] or <.",
                        self->what);
}

static mw_status find_type(finder *self, mw_heap_found *found, uint32_t limit, mw_error *reterr)
{
    const mw_object_graph *graph = self->study->view->graph;
    uint32_t type_count = self->study->view->type_count;
    uint8_t *is_wanted = mw_alloc_new(self->study->alloc, type_count);

    if (is_wanted == NULL)
        return fail_memory(reterr);
    found->is_of_type = true;
    if (choose_types(self, is_wanted))
        for (uint32_t node = 1; node < graph->node_count; node++)
            if (is_wanted[graph->nodes[node].type])
                keep(self->study, found, node, limit);
    mw_alloc_release(self->study->alloc, is_wanted, type_count);
    return found->count != 0 ? MW_OK : fail_type(self, reterr);
}

mw_status mw_heap_find_what(mw_heap_found *ret_found, mw_heap_study *study, const char *what,
                            uint32_t limit, mw_error *reterr)
{
    finder self = {.study = study, .what = what};
    mw_status status;

    ret_found->count = 0;
    ret_found->total = 0;
    ret_found->is_of_type = false;
    if (limit > MW_HEAP_FIND_MAXIMUM)
        limit = MW_HEAP_FIND_MAXIMUM;
    mw_buffer_init(&self.text, study->alloc);
    if (is_number(what))
        status = find_address(&self, ret_found, reterr);
    else if (is_path(what))
        status = find_path(&self, ret_found, reterr);
    else
        status = find_type(&self, ret_found, limit, reterr);
    /* What could not be compared was not found. */
    if (self.text.sink.status != MW_OK)
        status = fail_memory(reterr);
    mw_buffer_done(&self.text);
    return status;
}
