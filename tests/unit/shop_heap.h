/* SPDX-License-Identifier: MIT
 *
 * The objects of the shop of make_page.c: a dict of visits that grows, orders that two hold
 * together, contexts that C code holds, a buffer of a running frame, some garbage.
 */
#pragma once

#include "made_heap.h"
#include "shop.h"

enum {
    SHOP_VISITS = 4300,
    SHOP_ORDERS = 1200,
    SHOP_CONTEXTS = 900,
    SHOP_MODULES = 200,
    SHOP_BUFFER = 3 << 20,
    SHOP_NAME_BYTES = 24,
};

#define SHOP_HOME "/home/me/shop/"

/* Stands for every name of a hostile program; NULL: it is none. */
static const char *shop_hostile_name;

static const char *shop_name(const char *name)
{
    return shop_hostile_name != NULL ? shop_hostile_name : name;
}

static uint32_t shop_object(made_heap *heap, const char *type, const char *text, uint64_t size,
                            uint32_t place)
{
    return made_object(heap, shop_name(type), text == NULL ? NULL : shop_name(text), size, place);
}

static uint32_t shop_place(made_heap *heap, const char *file, uint32_t line, const char *function)
{
    return made_place(heap, shop_name(file), line, shop_name(function));
}

static uint32_t shop_module(made_heap *heap, const char *name)
{
    return made_module(heap, shop_name(name), shop_name("module"));
}

/* "['/book/17']"; there is room for as many as are asked for in all. */
static const char *shop_key(uint32_t number)
{
    static char names[SHOP_VISITS][SHOP_NAME_BYTES];

    snprintf(names[number], sizeof names[number], "['/book/%u']", number);
    return shop_name(names[number]);
}

static void add_visits(made_heap *heap)
{
    uint32_t module = shop_module(heap, "visits");
    uint32_t record = shop_place(heap, SHOP_HOME "visits.py", 31, "Visits.record");
    uint32_t headers = shop_place(heap, SHOP_HOME "visits.py", 12, "Visit.__init__");
    uint32_t visits = shop_object(heap, "visits.Visits", "visits.Visits", 48,
                                  shop_place(heap, SHOP_HOME "app.py", 14, "<module>"));
    uint32_t by_url = shop_object(heap, "dict", NULL, 147552,
                                  shop_place(heap, SHOP_HOME "visits.py", 28, "Visits.__init__"));

    made_reference(heap, module, visits, shop_name("['VISITS']"));
    made_reference(heap, visits, by_url, shop_name(".by_url"));
    for (uint32_t i = 0; i < SHOP_VISITS; i++) {
        uint32_t visit = shop_object(heap, "visits.Visit", "visits.Visit", 56, record);
        uint32_t dict = shop_object(heap, "dict", NULL, 612, headers);
        made_reference(heap, by_url, shop_object(heap, "str", "'/book/…'", 70, record), NULL);
        made_reference(heap, by_url, visit, shop_key(i));
        made_reference(heap, visit, dict, shop_name(".headers"));
        made_reference(heap, dict, shop_object(heap, "str", "'Mozilla'", 590, headers),
                       shop_name("['User-Agent']"));
        made_reference(heap, visit, shop_object(heap, "float", "1.5", 24, record),
                       shop_name(".when"));
    }
}

/* Whoever drops one of the two that hold the orders frees nothing. */
static void add_orders_of(made_heap *heap, uint32_t count)
{
    uint32_t module = shop_module(heap, "orders");
    uint32_t mail = shop_module(heap, "mail");
    uint32_t loads = shop_place(heap, STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode");
    uint32_t open = shop_object(heap, "dict", NULL, 36960, 0);
    uint32_t outbox = shop_object(heap, "list", NULL, 9656, 0);

    made_reference(heap, module, open, shop_name("['OPEN']"));
    made_reference(heap, mail, outbox, shop_name("['_outbox']"));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t order = shop_object(heap, "dict", NULL, 232, loads);
        made_reference(heap, open, order, shop_key(i));
        made_reference(heap, outbox, order, NULL);
        for (int k = 0; k < 4; k++)
            made_reference(heap, order, shop_object(heap, "str", "'a book'", 269, loads),
                           k == 0 ? shop_name("['title']") : NULL);
    }
}

static void add_contexts(made_heap *heap)
{
    for (uint32_t i = 0; i < SHOP_CONTEXTS; i++) {
        uint32_t context = shop_object(heap, "decimal.Context", "decimal.Context", 120, 0);
        made_reference(heap, context, shop_object(heap, "dict", NULL, 1600, 0), ".flags");
        made_root(heap, context, MW_ROOT_HELD_FROM_C, "");
    }
}

static void add_rest(made_heap *heap)
{
    uint32_t frame = shop_object(heap, "frame", "frame serve_forever (simple_server.py:82)", 0, 0);
    uint32_t list = shop_object(heap, "list", NULL, 72, 0);
    uint32_t dict = shop_object(heap, "dict", NULL, 18000, 0);
    static char names[SHOP_MODULES][SHOP_NAME_BYTES];

    made_root(heap, frame, MW_ROOT_FRAME, "");
    made_reference(heap, frame,
                   shop_object(heap, "bytearray", "bytearray(3145728)", SHOP_BUFFER,
                               shop_place(heap, SHOP_HOME "app.py", 61, "application")),
                   shop_name(".buffer"));
    made_reference(heap, list, dict, NULL); /* a cycle that nobody refers to */
    made_reference(heap, dict, list, shop_name("['me']"));
    for (uint32_t i = 0; i < SHOP_MODULES; i++) {
        uint32_t module;
        snprintf(names[i], sizeof names[i], "library.part_%u", i);
        module = shop_module(heap, names[i]);
        for (uint32_t k = 0; k < 5 + i % 40; k++) {
            uint32_t function = shop_object(heap, "function", "function work", 136, 0);
            made_reference(heap, module, function, shop_name("['work']"));
            made_reference(heap, function, shop_object(heap, "code", "code work", 400, 0),
                           shop_name(".__code__"));
        }
    }
}

static void shop_heap_init(made_heap *heap)
{
    made_heap_init(heap);
    add_visits(heap);
    add_orders_of(heap, SHOP_ORDERS);
    add_contexts(heap);
    add_rest(heap);
    made_heap_finish(heap);
}

/* 150,000 objects of which no two are alike, as far as types and lines go. */
static void crowd_heap_init(made_heap *heap)
{
    static char names[MADE_TYPES - 2][SHOP_NAME_BYTES], texts[1000][60];
    mw_random random = mw_random_of(5);
    uint32_t count = 150000, module;

    made_heap_init(heap);
    module = made_module(heap, "crowd", "module crowd");
    for (uint32_t i = 0; i < MADE_TYPES - 2; i++)
        snprintf(names[i], sizeof names[i], "crowd.Type%u", i);
    for (uint32_t i = 0; i < 1000; i++)
        snprintf(texts[i], sizeof texts[i], "'a text that is as long as texts are shown at all %u'",
                 i);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t line = 1 + mw_random_below(&random, MADE_PLACES - 2);
        uint32_t made =
            made_object(heap, names[mw_random_below(&random, MADE_TYPES - 2)], texts[i % 1000],
                        50 + mw_random_below(&random, 1 << mw_random_below(&random, 16)),
                        made_place(heap, "/srv/crowd.py", line, "make"));
        uint32_t parent = i < 20 ? module : made - 1 - mw_random_below(&random, made - module - 1);
        made_reference(heap, parent, made, NULL);
    }
    made_heap_finish(heap);
}
