/* SPDX-License-Identifier: MIT */
#include "tracer/births.h"

#include "tracer/retag.h"

static bool is_noted(const mw_birth *birth)
{
    return birth->address != 0 && (birth->address & MW_BIRTH_CANDIDATE) == 0;
}

/* What the cache does not know. */
static mw_status find_site(mw_tracer *tracer, mw_path caller, mw_instruction instruction,
                           size_t size_bytes, mw_site *ret_site)
{
    mw_path path = caller;
    mw_status status = MW_OK;

    if (instruction.index != MW_INSTRUCTION_TRANSPARENT)
        status = mw_path_trie_child(&tracer->paths, caller, instruction, &path);
    if (status != MW_OK)
        return status;
    return mw_tracer_site(tracer, path, MW_DOMAIN_PYTHON, size_bytes, ret_site);
}

static mw_status site_of(mw_tracer *tracer, const mw_birth *birth, size_t size_bytes,
                         mw_site *ret_site)
{
    uint64_t key =
        mw_site_cache_key_of_number(&tracer->cache, birth->instruction, (uint32_t)size_bytes);
    mw_status status;

    *ret_site = mw_site_cache_find(&tracer->cache, key, birth->caller);
    if (ret_site->index != 0)
        return MW_OK;
    status = find_site(tracer, birth->caller, birth->instruction, size_bytes, ret_site);
    if (status == MW_OK)
        mw_site_cache_put(&tracer->cache, key, birth->caller, *ret_site);
    return status;
}

/* Without memory the block keeps the site that it had. */
static void settle(mw_tracer *tracer, mw_guard guard, mw_birth *birth)
{
    uint32_t *label = mw_block_store_find_small(&tracer->blocks, birth->address);
    size_t size_bytes =
        mw_site_table_entry(&tracer->sites, (mw_site){*label & MW_LABEL_SITE})->size;
    mw_site site;

    *label &= ~MW_LABEL_WATCHED;
    if (site_of(tracer, birth, size_bytes, &site) == MW_OK)
        mw_retag(tracer, guard, label, site);
    birth->address = 0;
    tracer->births.count--;
}

void mw_births_make_room(mw_tracer *tracer, mw_birth *place)
{
    settle(tracer, (mw_guard){true}, place);
}

void mw_births_note(mw_tracer *tracer, uintptr_t address, uint32_t *label, mw_path caller,
                    mw_instruction instruction)
{
    mw_birth *place = mw_births_place(&tracer->births, address);

    tracer->births.count += place->address != address;
    *place = (mw_birth){address, caller, instruction};
    *label |= MW_LABEL_WATCHED;
}

bool mw_births_has(const mw_births *births, uintptr_t address)
{
    return mw_births_place((mw_births *)births, address)->address == address;
}

bool mw_births_drop(mw_births *births, uintptr_t address)
{
    mw_birth *place = mw_births_place(births, address);

    if (place->address != address)
        return false;
    place->address = 0;
    births->count--;
    return true;
}

void mw_births_settle(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    mw_birth *place = mw_births_place(&tracer->births, address);

    /* An address that somebody asks for need not be that of a block. */
    if (place->address == address && is_noted(place))
        settle(tracer, guard, place);
}

void mw_births_settle_all(mw_tracer *tracer, mw_guard guard)
{
    mw_births *births = &tracer->births;

    for (uint32_t index = 0; births->count != 0 && index < 1 << MW_BIRTH_BITS; index++)
        if (is_noted(&births->places[index]))
            settle(tracer, guard, &births->places[index]);
}

bool mw_births_are_consistent(const mw_tracer *tracer)
{
    const mw_births *births = &tracer->births;
    uint32_t count = 0;

    for (uint32_t index = 0; index < 1 << MW_BIRTH_BITS; index++) {
        const mw_birth *birth = &births->places[index];
        const uint32_t *label;

        if (!is_noted(birth))
            continue;
        label = mw_block_store_find_small(&tracer->blocks, birth->address);
        if (label == NULL || (*label & MW_LABEL_WATCHED) == 0 || (*label & MW_LABEL_SITE) == 0)
            return false;
        count++;
    }
    return count == births->count;
}
