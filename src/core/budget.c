/* SPDX-License-Identifier: MIT */
#include "core/budget.h"

#include <string.h>

enum { PAGE_BYTES = 4096 };

/* Where a stage begins, in eighths of the ceiling. */
static const struct {
    uint8_t eighths;
    uint8_t stage;
} stages[] = {
    {4, MW_STAGE_FOLDED},
    {5, MW_STAGE_CUT},
    {6, MW_STAGE_COARSE},
};

static const char *const names[] = {
    [MW_STAGE_EXACT] = "exact",   [MW_STAGE_FOLDED] = "folded", [MW_STAGE_CUT] = "cut",
    [MW_STAGE_COARSE] = "coarse", [MW_STAGE_LOSING] = "losing",
};

const char *mw_stage_name(mw_stage stage)
{
    return names[stage];
}

mw_stage mw_stage_of_name(const char *name)
{
    for (int stage = MW_STAGE_EXACT; stage <= MW_STAGE_LOSING; stage++)
        if (strcmp(names[stage], name) == 0)
            return (mw_stage)stage;
    return MW_STAGE_EXACT;
}

static void rise_to(mw_budget *budget, uint8_t stage)
{
    uint8_t known = atomic_load_explicit(&budget->stage, memory_order_relaxed);

    /* A failed exchange has read anew what another thread has written. */
    while (known < stage && !atomic_compare_exchange_weak(&budget->stage, &known, stage))
        ;
}

static void note(mw_budget *budget, size_t used_bytes)
{
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (used_bytes / stages[i].eighths >= budget->ceiling_bytes / 8)
            rise_to(budget, stages[i].stage);
}

bool mw_budget_take(mw_budget *budget, size_t size_bytes)
{
    size_t used_bytes = atomic_fetch_add(&budget->used_bytes, size_bytes) + size_bytes;

    if (budget->ceiling_bytes == 0)
        return true;
    note(budget, used_bytes);
    if (used_bytes <= budget->ceiling_bytes)
        return true;
    atomic_fetch_sub(&budget->used_bytes, size_bytes);
    rise_to(budget, MW_STAGE_LOSING);
    return false;
}

void mw_budget_give(mw_budget *budget, size_t size_bytes)
{
    atomic_fetch_sub(&budget->used_bytes, size_bytes);
}

/* ── the allocator ───────────────────────────────────────────────────────────────── */

/* What a block costs: mappings are whole pages. */
static size_t cost(size_t size_bytes)
{
    size_t pages = size_bytes / PAGE_BYTES + (size_bytes % PAGE_BYTES != 0);

    return (pages != 0 ? pages : 1) * PAGE_BYTES;
}

static void *counted_allocate(mw_alloc *self, size_t size_bytes)
{
    mw_budget *budget = (mw_budget *)self;
    void *block;

    if (!mw_budget_take(budget, cost(size_bytes)))
        return NULL;
    block = budget->inner->allocate(budget->inner, size_bytes);
    if (block == NULL)
        mw_budget_give(budget, cost(size_bytes));
    return block;
}

static void *counted_resize(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
    mw_budget *budget = (mw_budget *)self;
    size_t old_cost = cost(old_bytes);
    size_t new_cost = cost(new_bytes);
    void *moved;

    if (new_cost > old_cost && !mw_budget_take(budget, new_cost - old_cost))
        return NULL;
    moved = budget->inner->resize(budget->inner, block, old_bytes, new_bytes);
    if (moved == NULL && new_cost > old_cost)
        mw_budget_give(budget, new_cost - old_cost);
    if (moved != NULL && new_cost < old_cost)
        mw_budget_give(budget, old_cost - new_cost);
    return moved;
}

static void counted_release(mw_alloc *self, void *block, size_t size_bytes)
{
    mw_budget *budget = (mw_budget *)self;

    budget->inner->release(budget->inner, block, size_bytes);
    mw_budget_give(budget, cost(size_bytes));
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

void mw_budget_init(mw_budget *budget, mw_alloc *inner)
{
    *budget = (mw_budget){
        .counted = {counted_allocate, counted_resize, counted_release},
        .inner = inner,
    };
}

void mw_budget_open(mw_budget *budget, size_t ceiling_bytes)
{
    if (ceiling_bytes != 0 && ceiling_bytes < MW_BUDGET_MINIMUM_BYTES)
        ceiling_bytes = MW_BUDGET_MINIMUM_BYTES;
    budget->ceiling_bytes = ceiling_bytes;
    atomic_store(&budget->stage, MW_STAGE_EXACT);
}
