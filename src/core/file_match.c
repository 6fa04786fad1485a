/* SPDX-License-Identifier: MIT
 *
 * Names are sorted from their ends, so that the files which end most like a given one are
 * its neighbours: looking at a few of them is enough.
 */
#define _GNU_SOURCE
#include "core/file_match.h"

#include <stdlib.h>
#include <string.h>

enum {
    NEIGHBOURS_MAXIMUM = 64, /* looked at on either side */
    SAME_MODULE = 1,         /* decides between files that end equally alike */
    PER_COMPONENT = 2,
};

/* ── likeness ────────────────────────────────────────────────────────────────────── */

/* How many components at their ends two paths share. */
static uint32_t common_components(const char *a, const char *b)
{
    size_t i = strlen(a), j = strlen(b);
    uint32_t count = 0;

    while (i > 0 && j > 0 && a[i - 1] == b[j - 1]) {
        i--;
        j--;
        count += a[i] == '/';
    }
    /* What is left is one more if it is whole on both sides. */
    if (a[i] != '\0' && a[i] != '/' && (i == 0 || a[i - 1] == '/') && (j == 0 || b[j - 1] == '/'))
        count++;
    return count;
}

static bool is_known(const char *module)
{
    return *module != '\0' && strcmp(module, "__main__") != 0;
}

uint32_t mw_file_likeness(const mw_matched_file *a, const mw_matched_file *b)
{
    bool are_known = is_known(a->module) && is_known(b->module);
    bool are_same = strcmp(a->module, b->module) == 0;
    uint32_t components;

    /* "<string>" and the like are no files. */
    if (*a->name == '<' || *b->name == '<' || (are_known && !are_same))
        return 0;
    components = common_components(a->name, b->name);
    return components == 0 ? 0 : components * PER_COMPONENT + (are_same ? SAME_MODULE : 0);
}

/* ── names that are equal ────────────────────────────────────────────────────────── */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(mw_matched_file *const *)a)->name, (*(mw_matched_file *const *)b)->name);
}

static void match_names(mw_matched_file **older, uint32_t older_count, mw_matched_file **newer,
                        uint32_t newer_count, const mw_matched_file *first_older,
                        const mw_matched_file *first_newer)
{
    uint32_t i = 0, j = 0;

    qsort(older, older_count, sizeof *older, by_name);
    qsort(newer, newer_count, sizeof *newer, by_name);
    while (i < older_count && j < newer_count) {
        int order = strcmp(older[i]->name, newer[j]->name);

        if (order == 0) {
            older[i]->twin = (uint32_t)(newer[j] - first_newer) + 1;
            newer[j]->twin = (uint32_t)(older[i] - first_older) + 1;
        }
        i += order <= 0;
        j += order >= 0;
    }
}

/* Keeps those that have no twin; returns how many. */
static uint32_t keep_single(mw_matched_file **files, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (files[i]->twin == 0)
            files[kept++] = files[i];
    return kept;
}

/* ── names that end alike ────────────────────────────────────────────────────────── */

static int compare_from_end(const char *a, const char *b)
{
    size_t i = strlen(a), j = strlen(b);

    while (i > 0 && j > 0 && a[i - 1] == b[j - 1]) {
        i--;
        j--;
    }
    if (i == 0 || j == 0)
        return (i > 0) - (j > 0);
    return (unsigned char)a[i - 1] < (unsigned char)b[j - 1] ? -1 : 1;
}

static int by_end(const void *a, const void *b)
{
    return compare_from_end((*(mw_matched_file *const *)a)->name,
                            (*(mw_matched_file *const *)b)->name);
}

/* The first of [others], sorted by their ends, that does not stand before [file]. */
static uint32_t place_of(const mw_matched_file *file, mw_matched_file *const *others,
                         uint32_t count)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_from_end(others[middle]->name, file->name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The one file of [others] that is most like [file]; NULL if there is none, or more than one. */
static mw_matched_file *most_like(const mw_matched_file *file, mw_matched_file *const *others,
                                  uint32_t count)
{
    uint32_t place = place_of(file, others, count);
    uint32_t first = place < NEIGHBOURS_MAXIMUM ? 0 : place - NEIGHBOURS_MAXIMUM;
    uint32_t end = count - place < NEIGHBOURS_MAXIMUM ? count : place + NEIGHBOURS_MAXIMUM;
    mw_matched_file *best = NULL;
    uint32_t most = 0;

    for (uint32_t i = first; i < end; i++) {
        uint32_t likeness = mw_file_likeness(file, others[i]);
        if (likeness != 0 && likeness == most)
            best = NULL;
        if (likeness > most) {
            most = likeness;
            best = others[i];
        }
    }
    return best;
}

mw_status mw_files_match(mw_matched_file *older, uint32_t older_count, mw_matched_file *newer,
                         uint32_t newer_count, mw_alloc *alloc)
{
    mw_matched_file **left = mw_alloc_array(alloc, older_count, sizeof *left);
    mw_matched_file **right = mw_alloc_array(alloc, newer_count, sizeof *right);
    uint32_t left_count = older_count, right_count = newer_count;
    mw_status status = MW_NO_MEMORY;

    if (left == NULL || right == NULL)
        goto done;
    for (uint32_t i = 0; i < older_count; i++)
        left[i] = &older[i];
    for (uint32_t i = 0; i < newer_count; i++)
        right[i] = &newer[i];
    match_names(left, left_count, right, right_count, older, newer);
    left_count = keep_single(left, left_count);
    right_count = keep_single(right, right_count);
    qsort(left, left_count, sizeof *left, by_end);
    qsort(right, right_count, sizeof *right, by_end);
    for (uint32_t i = 0; i < left_count; i++) {
        mw_matched_file *twin = most_like(left[i], right, right_count);
        if (twin != NULL && most_like(twin, left, left_count) == left[i])
            left[i]->twin = (uint32_t)(twin - newer) + 1;
    }
    for (uint32_t i = 0; i < left_count; i++)
        if (left[i]->twin != 0)
            newer[left[i]->twin - 1].twin = (uint32_t)(left[i] - older) + 1;
    status = MW_OK;

done:
    mw_alloc_release(alloc, left, older_count * sizeof *left);
    mw_alloc_release(alloc, right, newer_count * sizeof *right);
    return status;
}
