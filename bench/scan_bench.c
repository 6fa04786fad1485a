/* SPDX-License-Identifier: MIT
 *
 * How long a look at every live block takes: a recount of all sites from the labels alone,
 * as the online counters are checked against.
 *
 *     cc -O2 -DNDEBUG -std=gnu11 -Isrc -o build/scan_bench bench/scan_bench.c \
 *        src/{base,core}/[a-z]*.c -lm
 *     build/scan_bench [blocks]
 *
 * The blocks lie in pools of 16 KiB as pymalloc cuts them, 48 to 192 bytes large, on sites
 * that are as mixed as chance has it.
 */
#include "core/block_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SITES = 100000, ROUNDS = 5 };

static uint32_t counts[SITES + 1];
static uint64_t random_state = 1;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((random_state >> 33) % limit);
}

/* Fills whole pools, each of one class; near blocks often share a site. */
static void fill(mw_block_store *store, uint64_t blocks)
{
    uintptr_t pool = UINT64_C(0x7f0000000000);
    uint32_t site = 1;

    for (uint64_t made = 0; made < blocks; pool += MW_PAGE_BYTES) {
        size_t size = 48 + 16 * random_below(10);

        for (uintptr_t at = pool + MW_PAGE_HEADER_BYTES; at + size <= pool + MW_PAGE_BYTES;
             at += size, made++) {
            uint32_t *slot = mw_block_store_slot(store, at, size);

            if (slot == NULL)
                abort();
            if (random_below(4) == 0)
                site = 1 + random_below(SITES);
            *slot = site;
        }
    }
}

static uint64_t scan_page(const mw_page *page)
{
    uint32_t places = MW_PAGE_UNITS / page->units;
    uint64_t live = 0;

    for (uint32_t i = 0; i < places; i++) {
        uint32_t site = page->labels[i] & MW_LABEL_SITE;

        counts[site]++;
        live += site != 0;
    }
    return live;
}

static uint64_t scan(const mw_block_store *store)
{
    uint64_t live = 0;

    for (uint32_t nth = 0; nth < store->leaf_count; nth++) {
        const mw_page *leaf = store->directory[store->leaf_list[nth]];

        for (uint32_t index = 0; index < 1 << MW_LEAF_BITS; index++)
            if (leaf[index].labels != NULL)
                live += scan_page(&leaf[index]);
    }
    return live;
}

int main(int argc, char **argv)
{
    uint64_t blocks = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000, live = 0;
    mw_block_store store;
    double start;

    if (mw_block_store_init(&store, mw_alloc_pages()) != MW_OK)
        abort();
    fill(&store, blocks);
    for (int round = 0; round < ROUNDS; round++) {
        start = now_ms();
        live = scan(&store);
        start = now_ms() - start;
        printf("look at every block of %-10llu %8.3f ms, %.2f ns each\n", (unsigned long long)live,
               start, start * 1e6 / (double)live);
    }
    mw_block_store_done(&store);
    return 0;
}
