/* SPDX-License-Identifier: MIT
 *
 * Made-up programs whose truth is known, for measuring verdicts: each fills a history as a
 * tracer would have seen it, block by block, with random numbers that are the same in every
 * run.  One model for each way in which memory behaves.
 */
#pragma once

#include "testing.h"

#include "core/leak_rank.h"

#include <math.h>

enum { MODEL_MOMENTS_MAXIMUM = MW_HISTORY_MAXIMUM, MODEL_FOREVER = 1 << 20 };

typedef struct leak_model {
    uint32_t count; /* moments */
    mw_random random;
    double times[MODEL_MOMENTS_MAXIMUM];
    double work[MODEL_MOMENTS_MAXIMUM];
    double live_bytes[MODEL_MOMENTS_MAXIMUM];
    double live_blocks[MODEL_MOMENTS_MAXIMUM];
    double kept_bytes[MODEL_MOMENTS_MAXIMUM];
    double kept_blocks[MODEL_MOMENTS_MAXIMUM];
    double born_bytes[MODEL_MOMENTS_MAXIMUM];
    double died_bytes[MODEL_MOMENTS_MAXIMUM];
    double died_blocks[MODEL_MOMENTS_MAXIMUM];
} leak_model;

/* A snapshot every ten seconds, more or less. */
static inline void model_begin(leak_model *model, uint32_t count, uint64_t seed)
{
    *model = (leak_model){.count = count, .random = mw_random_of(seed)};
    for (uint32_t i = 0; i < count; i++) {
        double jitter = mw_random_below(&model->random, 100) / 1000.0;
        model->times[i] = (i + (i == 0 ? 0 : jitter)) * 10 / 3600;
        model->work[i] = i * 50000.0;
    }
}

static inline double model_uniform(leak_model *model)
{
    return (mw_random_below(&model->random, 1 << 30) + 0.5) / (1 << 30);
}

static inline uint32_t model_poisson(leak_model *model, double mean)
{
    double product = model_uniform(model), bound = exp(-mean);
    uint32_t count = 0;

    if (mean > 200) {
        double normal = sqrt(-2 * log(product)) * cos(6.283185307 * model_uniform(model));
        return (uint32_t)fmax(0, mean + sqrt(mean) * normal);
    }
    for (; product > bound; count++)
        product *= model_uniform(model);
    return count;
}

static inline uint32_t model_exponential(leak_model *model, double mean)
{
    return (uint32_t)(-log(model_uniform(model)) * mean);
}

/* Blocks that are first seen at moment [birth], and no more at moment [death]. */
static inline void model_blocks(leak_model *model, uint32_t birth, uint32_t death, double bytes,
                                double blocks)
{
    if (birth >= model->count)
        return;
    model->born_bytes[birth] += bytes;
    if (death <= birth)
        return;
    for (uint32_t i = birth; i < death && i < model->count; i++) {
        model->live_bytes[i] += bytes;
        model->live_blocks[i] += blocks;
    }
    if (death >= model->count) {
        model->kept_bytes[birth] += bytes;
        model->kept_blocks[birth] += blocks;
    } else {
        uint32_t age = (death - birth) % MODEL_MOMENTS_MAXIMUM;
        model->died_bytes[age] += bytes;
        model->died_blocks[age] += blocks;
    }
}

static inline mw_history model_history(const leak_model *model)
{
    return (mw_history){.count = model->count,
                        .times = model->times,
                        .work = model->work,
                        .live_bytes = model->live_bytes,
                        .live_blocks = model->live_blocks,
                        .kept_bytes = model->kept_bytes,
                        .kept_blocks = model->kept_blocks,
                        .born_bytes = model->born_bytes,
                        .died_bytes = model->died_bytes,
                        .died_blocks = model->died_blocks,
                        .has_epochs = true};
}

/* ── leaks ───────────────────────────────────────────────────────────────────────── */

static inline void leak_steadily(leak_model *model)
{
    double rate = 1 + model_uniform(model) * 300, size = 40 + model_uniform(model) * 2000;

    if (rate * size * model->count < 50000)
        size = 50000 / rate;
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t blocks = model_poisson(model, rate);
        model_blocks(model, i, MODEL_FOREVER, blocks * size, blocks);
    }
}

/* Most of what the line makes dies young, some stays. */
static inline void leak_a_part(leak_model *model)
{
    double rate = 50 + model_uniform(model) * 300, share = 0.02 + model_uniform(model) * 0.6;
    double life = 0.3 + model_uniform(model) * model->count / 30.0;

    for (uint32_t i = 0; i < model->count; i++)
        for (uint32_t left = model_poisson(model, rate); left > 0; left--) {
            /* Drawn one after the other: compilers evaluate arguments in different orders. */
            uint32_t bytes = 200 + mw_random_below(&model->random, 200);
            uint32_t death =
                model_uniform(model) < share ? MODEL_FOREVER : i + model_exponential(model, life);

            model_blocks(model, i, death, bytes, 1);
        }
}

/* Sessions of which some are never closed. */
static inline void leak_sessions(leak_model *model)
{
    double life = model->count / (8.0 + model_uniform(model) * 10);

    for (uint32_t i = 0; i < model->count; i++)
        for (uint32_t left = model_poisson(model, 30); left > 0; left--)
            model_blocks(model, i,
                         model_uniform(model) < 0.4 ? MODEL_FOREVER
                                                    : i + 1 + model_exponential(model, life),
                         600, 2);
}

static inline void leak_in_bursts(leak_model *model)
{
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t blocks = model_uniform(model) < 0.3 ? model_poisson(model, 200) : 0;
        model_blocks(model, i, MODEL_FOREVER, blocks * 300.0, blocks);
    }
}

/* Entries, and a table that doubles: the old one dies. */
static inline void leak_into_dict(leak_model *model)
{
    double rate = 20 + model_uniform(model) * 200, entries = 0, table = 0, entry = 60;
    uint32_t table_birth = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t blocks = model_poisson(model, rate);
        entries += blocks;
        model_blocks(model, i, MODEL_FOREVER, blocks * entry, blocks);
        if (entries * 45 <= table && table > 0)
            continue;
        if (table > 0)
            model_blocks(model, table_birth, i, table, 1);
        while (entries * 45 > table)
            table = table == 0 ? 232 : table * 2;
        table_birth = i;
    }
    model_blocks(model, table_birth, MODEL_FOREVER, table, 1);
}

/* The list alone: one block, copied when it is full. */
static inline void leak_into_list(leak_model *model)
{
    double rate = 20 + model_uniform(model) * 200, entries = 0, room = 0;
    double factor = model_uniform(model) < 0.5 ? 1.125 : 2;
    uint32_t birth = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        entries += model_poisson(model, rate);
        if (entries <= room)
            continue;
        if (room > 0)
            model_blocks(model, birth, i, room * 8, 1);
        while (room < entries)
            room = room < 64 ? 64 : ceil(room * factor);
        birth = i;
    }
    model_blocks(model, birth, MODEL_FOREVER, room * 8, 1);
}

static inline void leak_after_warm_up(leak_model *model)
{
    double warm = 100000 + model_uniform(model) * 1e6;

    model_blocks(model, mw_random_below(&model->random, model->count / 8), MODEL_FOREVER, warm,
                 1000);
    leak_steadily(model);
}

static inline void leak_late(leak_model *model)
{
    uint32_t begin = model->count * (20 + mw_random_below(&model->random, 30)) / 100;

    for (uint32_t i = begin; i < model->count; i++) {
        uint32_t blocks = model_poisson(model, 60);
        model_blocks(model, i, MODEL_FOREVER, blocks * 300.0, blocks);
    }
}

/* The service is asked less and less: less work, less leaked. */
static inline void leak_as_load_falls(leak_model *model)
{
    double work = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        double load = 1 - 0.7 * i / model->count;
        uint32_t blocks = model_poisson(model, 100 * load);

        work += 50000 * load;
        model->work[i] = work;
        model_blocks(model, i, MODEL_FOREVER, blocks * 200.0, blocks);
    }
}

/* ── what is no leak ─────────────────────────────────────────────────────────────── */

/* Ever new keys; the oldest goes.  Full after a part of the time. */
static inline void cache_of_recent(leak_model *model)
{
    double rate = 20 + model_uniform(model) * 100;
    double life = model->count * (0.05 + model_uniform(model) * 0.75);

    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t blocks = model_poisson(model, rate);
        model_blocks(model, i, i + (uint32_t)life + mw_random_below(&model->random, 2),
                     blocks * 500.0, blocks);
    }
}

/* Keys come again: of a population, those that were not seen yet. */
static inline void cache_of_population(leak_model *model)
{
    double speed = 1.2 + model_uniform(model) * 6, keys = 500 + model_uniform(model) * 5000;
    double seen = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t blocks = model_poisson(model, (keys - seen) * speed / model->count);
        if (blocks > keys - seen)
            blocks = (uint32_t)(keys - seen);
        seen += blocks;
        model_blocks(model, i, MODEL_FOREVER, blocks * 400.0, blocks);
    }
}

/* Full early; a random entry goes for each that comes. */
static inline void cache_full_random(leak_model *model)
{
    enum { ENTRIES = 800 };
    static uint32_t births[ENTRIES];
    double rate = ENTRIES / (model->count * (0.05 + model_uniform(model) * 4));
    uint32_t fill = model->count / 8;

    for (uint32_t entry = 0; entry < ENTRIES; entry++)
        births[entry] = entry * fill / ENTRIES;
    for (uint32_t i = fill; i < model->count; i++)
        for (uint32_t left = model_poisson(model, rate); left > 0; left--) {
            uint32_t entry = mw_random_below(&model->random, ENTRIES);
            model_blocks(model, births[entry], i, 500, 1);
            births[entry] = i;
        }
    for (uint32_t entry = 0; entry < ENTRIES; entry++)
        model_blocks(model, births[entry], MODEL_FOREVER, 500, 1);
}

/* Garbage that waits for its collection. */
static inline void sawtooth(leak_model *model)
{
    double period = model->count / (1.7 + model_uniform(model) * 12);
    double phase = model_uniform(model) * period;

    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t tooth = (uint32_t)((i + phase) / period);
        uint32_t blocks = model_poisson(model, 80);
        model_blocks(model, i, (uint32_t)ceil((tooth + 1) * period - phase), blocks * 300.0,
                     blocks);
    }
}

/* Jobs wait their turn; the load swings around what can be served. */
static inline void queue_of_jobs(leak_model *model)
{
    double served = 0, capacity = 100;
    double load = 0.8 + model_uniform(model) * 0.17;
    static double work[MODEL_MOMENTS_MAXIMUM];

    for (uint32_t i = 0; i < model->count; i++) {
        double swing = 1 + 0.5 * sin(i * 6.28 * 5 / model->count);
        work[i] = model_poisson(model, capacity * load * swing);
    }
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t death;
        served = fmax(served, capacity * i);
        served += work[i];
        death = (uint32_t)(served / capacity);
        model_blocks(model, i, death > i ? death : i, work[i] * 400, work[i]);
    }
}

/* A constant number of things, each replaced now and then. */
static inline void replacement(leak_model *model)
{
    double rate = 20 + model_uniform(model) * 100;
    double life = 0.2 + model_uniform(model) * model->count / 6;

    for (uint32_t i = 0; i < model->count; i++)
        for (uint32_t left = model_poisson(model, rate); left > 0; left--)
            model_blocks(model, i, i + model_exponential(model, life), 300, 1);
}

static inline void import_time(leak_model *model)
{
    uint32_t end = 1 + mw_random_below(&model->random, model->count / 6);

    for (uint32_t i = 0; i < end; i++)
        model_blocks(model, i, MODEL_FOREVER, 100000, 1000);
    for (uint32_t i = end; i < model->count; i += 7)
        model_blocks(model, i, i + 1, 200, 1);
}

/* Objects are made as long as more are wanted at once than ever before. */
static inline void pool(leak_model *model)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < model->count; i++)
        for (int look = 0; look < 20; look++) {
            uint32_t wanted = model_poisson(model, 100);
            if (wanted <= most)
                continue;
            model_blocks(model, i, MODEL_FOREVER, (wanted - most) * 1000.0, wanted - most);
            most = wanted;
        }
}

/* ── the list ────────────────────────────────────────────────────────────────────── */

#define VERDICT(name) (1u << MW_VERDICT_##name)

typedef struct model_kind {
    const char *name;
    void (*fill)(leak_model *model);
    unsigned allowed; /* verdicts that are right                */
    unsigned wrong;   /* verdicts that are a fault, not a doubt */
} model_kind;

enum {
    IS_LEAK = VERDICT(LEAK),
    IS_CALM = VERDICT(LEVELS_OFF) | VERDICT(STEADY) | VERDICT(ONE_TIME)
};

static const model_kind model_kinds[] = {
    {"leak_steadily", leak_steadily, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_a_part", leak_a_part, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_sessions", leak_sessions, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_in_bursts", leak_in_bursts, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_into_dict", leak_into_dict, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_into_list", leak_into_list, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_after_warm_up", leak_after_warm_up, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_late", leak_late, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"leak_as_load_falls", leak_as_load_falls, IS_LEAK, IS_CALM | VERDICT(FILLING)},
    {"cache_of_recent", cache_of_recent, IS_CALM | VERDICT(FILLING), IS_LEAK},
    {"cache_of_population", cache_of_population, IS_CALM | VERDICT(FILLING), IS_LEAK},
    {"cache_full_random", cache_full_random, IS_CALM, IS_LEAK},
    {"sawtooth", sawtooth, IS_CALM, IS_LEAK},
    {"queue_of_jobs", queue_of_jobs, IS_CALM, IS_LEAK},
    {"replacement", replacement, IS_CALM, IS_LEAK},
    {"import_time", import_time, IS_CALM, IS_LEAK},
    {"pool", pool, IS_CALM | VERDICT(FILLING), IS_LEAK},
};

enum { MODEL_KIND_COUNT = sizeof model_kinds / sizeof model_kinds[0] };
