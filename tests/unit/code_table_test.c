/* SPDX-License-Identifier: MIT */
#include "core/code_table.h"

#include "location_cases.h"
#include "testing.h"

#include <stdio.h>

enum { SEEDS = 20, STEPS = 1500, CONTENTS = 12, OBJECTS = 30, OFFSETS = 25 };

/* ── location tables ─────────────────────────────────────────────────────────────── */

TEST(location_table, says_what_cpython_says_for_every_offset)
{
    for (size_t i = 0; i < sizeof location_cases / sizeof *location_cases; i++) {
        const location_case *row = &location_cases[i];
        const char *table = (const char *)&location_bytes[row->table];
        int32_t offset = 0;

        for (uint32_t run = row->run; run < row->run + row->run_count; run++) {
            for (; offset < location_runs[run].end_bytes; offset++)
                CHECK_EQ(mw_location_table_line(table, row->length, row->first_line, offset),
                         location_runs[run].line);
        }
        CHECK_EQ(mw_location_table_line(table, row->length, row->first_line, offset), -1);
        CHECK_EQ(mw_location_table_line(table, row->length, row->first_line, INT32_MAX), -1);
        CHECK_EQ(mw_location_table_line(table, row->length, row->first_line, -1), row->first_line);
        CHECK_EQ(mw_location_table_line(table, row->length, row->first_line, -2), row->first_line);
    }
}

/* Code.replace(co_linetable=…) takes any bytes.  The copy is exactly as long, so that a
 * sanitizer sees a read beyond it. */
TEST(location_table, survives_any_bytes)
{
    mw_random random = mw_random_of(1);

    for (int round = 0; round < 20000; round++) {
        size_t length = mw_random_below(&random, 30);
        char *table = malloc(length != 0 ? length : 1);
        int32_t first_line = (int32_t)mw_random_below(&random, UINT32_MAX);

        assert_non_null(table);
        for (size_t i = 0; i < length; i++) /* more varints than chance would make */
            table[i] = (char)(mw_random_below(&random, 256) | mw_random_below(&random, 2) * 0x7f);
        (void)mw_location_table_line(table, length, first_line,
                                     (int32_t)mw_random_below(&random, 300));
        (void)mw_location_table_line(table, length, first_line, INT32_MAX);
        free(table);
    }
}

/* ── content ─────────────────────────────────────────────────────────────────────── */

/* One line for each instruction, from the first line on. */
static const char one_line_each[] = "\xe8\x00\xe8\x02\xe8\x02\xe8\x02\xe8\x02\xe8\x02\xe8\x02";

static mw_status intern(mw_code_table *table, const char *file, const char *function,
                        const char *lines, int32_t first_line, mw_code *ret_code)
{
    mw_code_row row = {.first_line = first_line, .first_instruction = 12345};
    mw_status status = mw_code_table_string(table, file, strlen(file), &row.file);

    if (status == MW_OK)
        status = mw_code_table_string(table, function, strlen(function), &row.function);
    if (status == MW_OK)
        status = mw_code_table_string(table, "module", 6, &row.module);
    if (status == MW_OK)
        status = mw_code_table_string(table, lines, sizeof one_line_each - 1, &row.lines);
    if (status == MW_OK)
        status = mw_code_table_intern(table, row, ret_code);
    return status;
}

static mw_status intern_numbered(mw_code_table *table, uint32_t content, mw_code *ret_code)
{
    char file[16], function[16];

    (void)snprintf(file, sizeof file, "%u.py", content % 3);
    (void)snprintf(function, sizeof function, "f%u", content % 4);
    return intern(table, file, function, one_line_each, (int32_t)content, ret_code);
}

TEST(code_table, interns_equal_content_once)
{
    mw_code_table table;
    mw_code codes[CONTENTS], again;

    CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
    for (uint32_t i = 0; i < CONTENTS; i++) {
        CHECK_OK(intern_numbered(&table, i, &codes[i]));
        CHECK_EQ(codes[i].index, i + 1);
    }
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < CONTENTS; i++) {
            mw_instruction instruction;

            CHECK_OK(mw_code_table_instruction(&table, codes[i], (int32_t)round, &instruction));
            CHECK_OK(intern_numbered(&table, i, &again));
            CHECK_EQ(again.index, codes[i].index);
        }
    }
    CHECK_OK(intern(&table, "0.py", "f0", one_line_each, 1, &again));
    CHECK_EQ(again.index, CONTENTS + 1);
    CHECK(mw_code_table_is_consistent(&table));
    mw_code_table_done(&table);
    mw_code_table_done(&table);
}

TEST(code_table, tells_the_line_of_an_instruction_late)
{
    mw_code_table table;
    mw_instruction before, third, beyond;
    mw_code code;

    CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
    CHECK_OK(intern(&table, "a.py", "f", one_line_each, 40000, &code));
    CHECK_OK(mw_code_table_instruction(&table, code, -2, &before));
    CHECK_OK(mw_code_table_instruction(&table, code, 4, &third));
    CHECK_OK(mw_code_table_instruction(&table, code, 400, &beyond));
    CHECK_OK(mw_code_table_bind(&table, 0x1000, 0x10c0, code));
    mw_code_table_unbind(&table, 0x1000);
    CHECK_EQ(mw_code_table_line(&table, before), 40000);
    CHECK_EQ(mw_code_table_line(&table, third), 40002);
    CHECK_EQ(mw_code_table_line(&table, beyond), 0);
    mw_code_table_done(&table);
}

/* Tables that CPython made and tables of any bytes, at offsets in and far beyond them. */
TEST(code_table, tells_the_lines_of_a_whole_code_as_it_tells_each)
{
    enum { ROUNDS = 300, EACH = 40 };
    mw_random random = mw_random_of(7);

    for (int round = 0; round < ROUNDS; round++) {
        const location_case *known = &location_cases[mw_random_below(
            &random, sizeof location_cases / sizeof *location_cases)];
        mw_code_row row = {.first_line = known->first_line};
        int32_t lines[EACH + 1] = {0};
        char bytes[64];
        mw_code_table table;
        mw_instruction made;
        mw_code code;

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(mw_random_below(&random, 256) | mw_random_below(&random, 2) * 0x7f);
        if (round % 2 != 0)
            row.first_line = (int32_t)mw_random_below(&random, UINT32_MAX);
        CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
        CHECK_OK(mw_code_table_string(
            &table, round % 2 == 0 ? (const char *)&location_bytes[known->table] : bytes,
            round % 2 == 0 ? known->length : mw_random_below(&random, sizeof bytes), &row.lines));
        CHECK_OK(mw_code_table_intern(&table, row, &code));
        CHECK_OK(mw_code_table_instruction(&table, code, INT32_MAX, &made));
        while (made.index < EACH)
            CHECK_OK(mw_code_table_instruction(&table, code,
                                               (int32_t)mw_random_below(&random, 400) - 2, &made));
        CHECK_OK(mw_code_table_lines(&table, code, mw_alloc_system(), lines));
        for (uint32_t number = 1; number <= EACH; number++)
            CHECK_EQ(lines[number], mw_code_table_line(&table, (mw_instruction){number}));
        mw_code_table_done(&table);
    }
}

/* ── live objects ────────────────────────────────────────────────────────────────── */

/* The slow twin: what each object is, and what each address stands for. */
typedef struct binding_twin {
    uint32_t content[OBJECTS]; /* + 1; 0: not bound */
    uint32_t number[OBJECTS][OFFSETS];
} binding_twin;

static uintptr_t object_at(uint32_t object)
{
    return 0x7f0000001000 + (uintptr_t)object * 0x400;
}

static uintptr_t address_at(uint32_t object, uint32_t nth)
{
    return object_at(object) + 0xc0 + 2 * (uintptr_t)nth - 2;
}

static int32_t offset_of(uint32_t nth)
{
    return 2 * (int32_t)nth - 2;
}

static void check_bindings(const mw_code_table *table, const binding_twin *twin)
{
    CHECK(mw_code_table_is_consistent(table));
    for (uint32_t object = 0; object < OBJECTS; object++) {
        CHECK_EQ(mw_code_table_bound(table, object_at(object)).index != 0,
                 twin->content[object] != 0);
        for (uint32_t nth = 0; nth < OFFSETS; nth++)
            CHECK_EQ(mw_code_table_find(table, address_at(object, nth)).index,
                     twin->number[object][nth]);
    }
}

/* Sees an instruction of a live object, as the extension does. */
static mw_status see(mw_code_table *table, binding_twin *twin, uint32_t object, uint32_t nth)
{
    mw_instruction instruction = {0};
    mw_code code = mw_code_table_bound(table, object_at(object));
    mw_status status = mw_code_table_instruction(table, code, offset_of(nth), &instruction);

    if (status != MW_OK)
        return status;
    CHECK_EQ(table->instructions[instruction.index].code, code.index);
    CHECK_EQ(table->instructions[instruction.index].offset_bytes, offset_of(nth));
    if (nth == 0)
        instruction.index = MW_INSTRUCTION_TRANSPARENT;
    status = mw_code_table_bind_address(table, address_at(object, nth), instruction);
    if (status == MW_OK)
        twin->number[object][nth] = instruction.index;
    return status;
}

static mw_status bear(mw_code_table *table, binding_twin *twin, uint32_t object, uint32_t content)
{
    mw_code code = {0};
    mw_status status = intern_numbered(table, content, &code);

    if (status == MW_OK)
        status = mw_code_table_bind(table, object_at(object), address_at(object, 1), code);
    if (status == MW_OK)
        twin->content[object] = content + 1;
    return status;
}

static void die(mw_code_table *table, binding_twin *twin, uint32_t object)
{
    mw_code_table_unbind(table, object_at(object));
    twin->content[object] = 0;
    memset(twin->number[object], 0, sizeof twin->number[object]);
}

static mw_status random_step(mw_code_table *table, binding_twin *twin, mw_random *random)
{
    uint32_t object = mw_random_below(random, OBJECTS);

    if (twin->content[object] == 0)
        return bear(table, twin, object, mw_random_below(random, CONTENTS));
    if (mw_random_below(random, 8) != 0)
        return see(table, twin, object, mw_random_below(random, OFFSETS));
    die(table, twin, object);
    return MW_OK;
}

TEST(code_table, never_takes_an_address_for_that_of_an_object_that_died_there)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        binding_twin twin = {0};
        mw_code_table table;

        CHECK_OK(mw_code_table_init(&table, &failing.base));
        for (uint32_t step = 0; step < STEPS; step++) {
            CHECK_OK(random_step(&table, &twin, &random));
            if (step % 100 == 0)
                check_bindings(&table, &twin);
        }
        CHECK(table.code_count <= CONTENTS + 1);
        for (uint32_t object = 0; object < OBJECTS; object++)
            die(&table, &twin, object);
        check_bindings(&table, &twin);
        CHECK_EQ(table.objects.count + table.addresses.count, 0);
        CHECK(mw_code_table_memory_bytes(&table) <= failing.live_bytes);
        mw_code_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(code_table, keeps_the_twin_of_an_object_that_dies)
{
    mw_code_table table;
    binding_twin twin = {0};

    CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
    for (uint32_t object = 0; object < 3; object++) {
        CHECK_OK(bear(&table, &twin, object, 5));
        for (uint32_t nth = 0; nth < OFFSETS; nth++)
            CHECK_OK(see(&table, &twin, object, nth));
    }
    CHECK_EQ(table.code_count, 2);
    die(&table, &twin, 1);
    check_bindings(&table, &twin);
    CHECK_OK(bear(&table, &twin, 1, 6));
    CHECK_OK(see(&table, &twin, 1, 3));
    check_bindings(&table, &twin);
    mw_code_table_unbind(&table, 0x12345678); /* nobody */
    check_bindings(&table, &twin);
    mw_code_table_done(&table);
}

TEST(code_table, is_consistent_sees_an_address_that_outlived_its_object)
{
    mw_code_table table;
    binding_twin twin = {0};

    CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
    CHECK_OK(bear(&table, &twin, 0, 5));
    CHECK_OK(see(&table, &twin, 0, 3));
    CHECK(mw_code_table_is_consistent(&table));
    mw_address_map_remove(&table.objects, mw_address_map_find(&table.objects, object_at(0)));
    CHECK(!mw_code_table_is_consistent(&table));
    mw_code_table_done(&table);
}

static uint32_t live_a_while(mw_code_table *table, binding_twin *twin)
{
    mw_random random = mw_random_of(9);
    uint32_t refused = 0;

    for (uint32_t step = 0; step < STEPS; step++) {
        mw_status status = random_step(table, twin, &random);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        refused += status != MW_OK;
    }
    check_bindings(table, twin);
    return refused;
}

/* Whatever is compiled from then on: as many codes as known files, one instruction each. */
TEST(code_table, names_no_more_than_files_when_its_budget_is_used_up)
{
    mw_code_table table;
    mw_budget budget;
    mw_code known, code, stranger;
    mw_instruction instruction, again;
    uint32_t code_count, instruction_count;
    size_t memory_bytes;

    mw_budget_init(&budget, mw_alloc_system());
    CHECK_OK(mw_code_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_code_table_limit(&table, &budget));
    CHECK_OK(intern_numbered(&table, 0, &known));
    atomic_store(&budget.stage, MW_STAGE_COARSE);
    CHECK_OK(intern_numbered(&table, 0, &code));
    CHECK_EQ(code.index, known.index);
    CHECK(!mw_code_table_is_coarse(&table, known));
    CHECK_OK(mw_code_table_instruction(&table, known, 4, &instruction));
    CHECK_EQ(mw_code_table_line(&table, instruction), 2);

    CHECK_OK(intern(&table, "0.py", "new", one_line_each, 1, &code));
    CHECK_OK(intern(&table, "new.py", "new", one_line_each, 1, &stranger));
    CHECK_OK(mw_code_table_instruction(&table, code, 2, &instruction));
    CHECK_OK(mw_code_table_instruction(&table, stranger, 2, &again));
    code_count = table.code_count;
    instruction_count = table.instruction_count;
    memory_bytes = mw_code_table_memory_bytes(&table);
    for (uint32_t i = 0; i < 1000; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%u", i);
        CHECK_OK(intern(&table, i % 2 ? "0.py" : name, name, one_line_each, (int32_t)i, &known));
        CHECK_EQ(known.index, i % 2 ? code.index : stranger.index);
        CHECK(mw_code_table_is_coarse(&table, known));
        CHECK_OK(mw_code_table_instruction(&table, known, (int32_t)i, &again));
        CHECK_EQ(mw_code_table_line(&table, again), 0);
        CHECK_OK(mw_code_table_bind(&table, object_at(i), address_at(i, 0), known));
        CHECK_EQ(mw_code_table_bound(&table, object_at(i)).index, 0);
    }
    CHECK_EQ(table.code_count, code_count);
    CHECK_EQ(table.instruction_count, instruction_count);
    CHECK_EQ(mw_code_table_memory_bytes(&table), memory_bytes);
    CHECK_STR_EQ(mw_string_pool_bytes(&table.strings, table.codes[code.index].file.index), "0.py");
    CHECK_STR_EQ(mw_string_pool_bytes(&table.strings, table.codes[stranger.index].file.index),
                 "<not recorded>");
    CHECK(mw_code_table_is_consistent(&table));
    mw_code_table_done(&table);
}

TEST(code_table, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        binding_twin twin = {0};
        mw_code_table table;

        if (mw_code_table_init(&table, &failing.base) == MW_OK) {
            refused = live_a_while(&table, &twin);
            failing.nth = SIZE_MAX;
            CHECK_EQ(live_a_while(&table, &twin), 0);
        }
        mw_code_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(location_table, says_what_cpython_says_for_every_offset),
        CASE(location_table, survives_any_bytes),
        CASE(code_table, interns_equal_content_once),
        CASE(code_table, tells_the_line_of_an_instruction_late),
        CASE(code_table, tells_the_lines_of_a_whole_code_as_it_tells_each),
        CASE(code_table, never_takes_an_address_for_that_of_an_object_that_died_there),
        CASE(code_table, keeps_the_twin_of_an_object_that_dies),
        CASE(code_table, is_consistent_sees_an_address_that_outlived_its_object),
        CASE(code_table, names_no_more_than_files_when_its_budget_is_used_up),
        CASE(code_table, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
