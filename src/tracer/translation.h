/* SPDX-License-Identifier: MIT
 *
 * From the tables of one lane to those of a snapshot.  Instructions become frames and paths
 * become paths of frames, each once, remembered in arrays as long as the tables; only what
 * a site in the snapshot needs is translated.
 *
 * Whoever translates has the lane for himself: the GIL for the main one, else its lock.
 */
#pragma once

#include "core/snapshot.h"
#include "tracer/raw_lane.h"
#include "tracer/threads.h"

/* Translates one lane. */
typedef struct mw_translation {
    mw_alloc *alloc;
    mw_snapshot_builder *builder; /* borrowed                                               */
    const mw_code_table *codes;
    const mw_path_trie *paths;
    uint32_t *frames;      /* instruction → frame of the snapshot; 0 = not translated yet */
    int32_t *lines;        /* instruction → line, if its code has lines                    */
    bool *has_lines;       /* code → whether its instructions are in `lines`               */
    uint32_t *known_paths; /* path → path of the snapshot, likewise                        */
    uint8_t *threads;      /* path → thread                                                */
} mw_translation;

/* On failure, too, _done is called. */
mw_status mw_translation_init(mw_translation *self, mw_alloc *alloc, mw_snapshot_builder *builder,
                              const mw_code_table *codes, const mw_path_trie *paths) MW_MUST_CHECK;
void mw_translation_done(mw_translation *self); /* accepts a zeroed struct */

mw_status mw_translation_name_threads(const mw_translation *self, const mw_threads *threads)
    MW_MUST_CHECK;

/* One table of sites, and where its paths lie. */
typedef struct mw_site_source {
    const mw_translation *lane;
    const mw_translation *main; /* the main lane, of whose paths the raw lane's may be      */
    const mw_site_table *sites;
    const mw_raw_lane *raw;  /* whose sites they are; NULL: the main lane's          */
    uint32_t unwanted_sites; /* the first so many are left out                     */
    uint32_t *translated;    /* site → site of the snapshot, for who asks for one again and
                                again, always in one epoch; 0: not yet.  May be NULL   */
} mw_site_source;

/* The site of the snapshot for [site], in [epoch]. */
mw_status mw_translation_site(const mw_site_source *source, mw_site site, uint32_t epoch,
                              mw_site *ret_site) MW_MUST_CHECK;

/* What a snapshot is to consist of: what [add] adds to the builder of [lane]. */
typedef struct mw_translation_plan {
    mw_status (*add)(void *context, const mw_translation *lane);
    void *context;
    uint32_t frame_limit;
    const mw_code_table *codes;
    const mw_path_trie *paths;
} mw_translation_plan;

mw_status mw_translation_snapshot(const mw_translation_plan *plan, mw_alloc *alloc,
                                  mw_snapshot **ret_snapshot) MW_MUST_CHECK;
