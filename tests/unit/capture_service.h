/* SPDX-License-Identifier: MIT
 *
 * A made-up service of a given size, for tests and measurements of captures: call paths as
 * deep, names as long and lines as many as those of real programs (of 65 000 sites that were
 * counted: 35 000 lines, 103 000 paths, 4 400 names), sizes that hardly change, and a few
 * lines that allocate all the time.
 */
#pragma once

#include "core/snapshot.h"
#include "testing.h"

#include <stdio.h>

enum { SERVICE_FILES = 400, SERVICE_FUNCTIONS = 3000, SERVICE_LIBRARY_DEPTH = 6 };

typedef struct made_up_service {
    uint32_t site_count;     /* there from the start                            */
    uint32_t busy_count;     /* lines that allocate between two looks            */
    uint32_t look_count;     /* how often it is looked at; each begins an epoch  */
    mw_snapshot *tables;     /* owned; of all sites that there will be: those from the start, and
                            then the busy ones of each epoch                 */
    mw_tally *live, *totals; /* owned; by site, at the last look             */
    uint32_t count;          /* of the two                                   */
} made_up_service;

static inline mw_string service_string(mw_snapshot_builder *builder, const char *text)
{
    mw_string string;

    CHECK_OK(mw_snapshot_builder_string(builder, text, strlen(text), &string));
    return string;
}

static inline mw_path service_call(mw_snapshot_builder *builder, mw_path caller, uint32_t function,
                                   uint32_t line)
{
    char file[128], name[64], module[64];
    mw_frame_row row = {.first_line = (int32_t)(1 + function * 37 % 900)};
    mw_frame frame;
    mw_path path;
    uint32_t number = function * 7919 % SERVICE_FILES;

    snprintf(file, sizeof file,
             "/srv/venv/lib/python3.11/site-packages/package%u/part%u/module%u.py", number % 40,
             number % 7, number);
    snprintf(module, sizeof module, "package%u.part%u.module%u", number % 40, number % 7, number);
    snprintf(name, sizeof name, "Handler%x.do_%x", function * 2654435761u >> 20,
             function * 40503u % 0xffff);
    row.file = service_string(builder, file);
    row.function = service_string(builder, name);
    row.module = service_string(builder, module);
    row.line = row.first_line + (int32_t)line;
    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    CHECK_OK(mw_snapshot_builder_path(builder, caller, frame, &path));
    return path;
}

/* The path of a site: some calls that many have in common, and one of its own. */
static inline mw_path service_path(mw_snapshot_builder *builder, uint32_t site)
{
    uint32_t request = site / 40;
    mw_path path = service_call(builder, (mw_path){0}, 60 + site / 12000, 1);

    for (uint32_t depth = 0; depth < SERVICE_LIBRARY_DEPTH; depth++)
        path = service_call(builder, path, depth * 10 + request % (depth + 1), depth);
    path = service_call(builder, path, 100 + request % 300, 3);
    path = service_call(builder, path, 400 + site / 5 % 600, site % 2);
    return service_call(builder, path, 1000 + site % 2000, 1 + site / 2000 % 2);
}

static inline mw_site service_site(mw_snapshot_builder *builder, mw_path path, uint32_t thread,
                                   uint32_t epoch)
{
    mw_site site;

    CHECK_OK(
        mw_snapshot_builder_epoch_site(builder, path, 10, 0, (mw_thread){thread}, epoch, &site));
    return site;
}

static inline void service_init(made_up_service *service)
{
    mw_snapshot_builder *builder = NULL;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 100, &builder));
    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){1},
                                             service_string(builder, "MainThread")));
    for (uint32_t i = 0; i < service->site_count; i++)
        service_site(builder, service_path(builder, i), 1 + i % 3, 0);
    for (uint32_t i = 0; i < service->busy_count; i++) {
        mw_path path = service_path(builder, i * 97);

        for (uint32_t epoch = 1; epoch <= service->look_count; epoch++)
            service_site(builder, path, 1, epoch);
    }
    CHECK_OK(mw_snapshot_builder_finish(builder, &service->tables));
    service->count = mw_snapshot_site_count(service->tables) + 1;
    CHECK_EQ(service->count, 1 + service->site_count + service->busy_count * service->look_count);
    service->live = calloc(service->count, sizeof *service->live);
    service->totals = calloc(service->count, sizeof *service->totals);
}

static inline void service_done(made_up_service *service)
{
    mw_snapshot_release(service->tables);
    free(service->live);
    free(service->totals);
}

static inline void service_fill_first(made_up_service *service)
{
    for (uint32_t site = 1; site <= service->site_count; site++) {
        mw_random random = mw_random_of(site);
        uint64_t size = 16 * (1 + mw_random_below(&random, 60));
        uint64_t blocks = 1 + mw_random_below(&random, mw_random_below(&random, 4) ? 20 : 2000);
        uint64_t made = blocks + (site % 3 == 0 ? mw_random_below(&random, 5000) : 0);

        service->live[site] = (mw_tally){size * blocks, blocks};
        service->totals[site] = (mw_tally){size * made, made};
    }
}

/* What is alive at a look, to be asked for in their order: what was there from the start
 * stays, and what a busy line allocated in an epoch is freed in the next three. */
static inline mw_snapshot *service_snapshot(made_up_service *service, uint32_t look)
{
    mw_snapshot *snapshot = NULL;

    if (look == 0)
        service_fill_first(service);
    for (uint32_t busy = 0; busy < service->busy_count; busy++) {
        uint32_t first = 1 + service->site_count + busy * service->look_count;

        for (uint32_t age = 0; age <= 3 && age <= look; age++) {
            mw_random random = mw_random_of(busy * 1000 + look - age);
            uint64_t size = 16 * (1 + busy % 20), born = 1 + mw_random_below(&random, 50);
            uint64_t blocks = born * (3 - age) / 3;

            service->live[first + look - age] = (mw_tally){size * blocks, blocks};
            service->totals[first + look - age] = (mw_tally){size * 2 * born, 2 * born};
        }
    }
    CHECK_OK(mw_snapshot_with_tallies(service->tables, service->live, service->totals,
                                      service->count, &snapshot));
    return snapshot;
}

/* A line of source that looks like one. */
static inline bool service_source_line(void *context, const char *file, int32_t line,
                                       const char **ret_text, size_t *ret_length)
{
    static const char *const verbs[] = {"append", "update", "get", "setdefault", "load", "render"};
    static const char *const nouns[] = {"request", "session", "row",    "context",
                                        "user",    "query",   "result", "node"};
    static char text[128];
    mw_random random = mw_random_of((uint64_t)line * 131 + strlen(file) + (uint64_t)file[60]);

    (void)context;
    *ret_length =
        (size_t)snprintf(text, sizeof text, "%*sself.%s_%u = %s.%s(%s[%u], %s)", 4 * (1 + line % 4),
                         "", nouns[mw_random_below(&random, 8)], mw_random_below(&random, 10),
                         nouns[mw_random_below(&random, 8)], verbs[mw_random_below(&random, 6)],
                         nouns[mw_random_below(&random, 8)], mw_random_below(&random, 100),
                         nouns[mw_random_below(&random, 8)]);
    *ret_text = text;
    return true;
}
