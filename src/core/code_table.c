/* SPDX-License-Identifier: MIT */
#include "core/code_table.h"

#include <string.h>

enum { MAXIMUM = 0x3fffffff }; /* of codes and of instructions */

/* ── location tables ─────────────────────────────────────────────────────────────── */

/* The kinds of entries that do not have a line delta in plain sight. */
enum {
    ENTRY_START = 0x80, /* set in the first byte of an entry and in no other */
    KIND_ONE_LINE_0 = 10,
    KIND_ONE_LINE_2 = 12,
    KIND_NO_COLUMNS = 13,
    KIND_LONG = 14,
    KIND_NONE = 15,
};

/* Six bits a byte, lowest first, bit 6 says that more follow; the lowest bit of the
 * number is its sign. */
static int32_t read_signed(const unsigned char *byte, const unsigned char *end)
{
    uint32_t value = 0;

    for (int shift = 0; byte < end && shift < 32; byte++, shift += 6) {
        value |= (uint32_t)(*byte & 63) << shift;
        if ((*byte & 64) == 0)
            break;
    }
    return (value & 1) != 0 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

/* How far an entry moves the line; its first byte is at [entry]. */
static int32_t line_delta(const unsigned char *entry, const unsigned char *end)
{
    int kind = *entry >> 3 & 15;

    if (kind == KIND_LONG || kind == KIND_NO_COLUMNS)
        return read_signed(entry + 1, end);
    if (kind >= KIND_ONE_LINE_0 && kind <= KIND_ONE_LINE_2)
        return kind - KIND_ONE_LINE_0;
    return 0;
}

/* A way through a location table, entry by entry. */
typedef struct location_walk {
    const unsigned char *next; /* the entry that comes next                                 */
    const unsigned char *end;
    int64_t end_bytes; /* offset at which the instructions of the last entry end            */
    int32_t line;      /* after the last entry, which need not have one                     */
    bool has_line;     /* whether the last entry has one                                    */
} location_walk;

static location_walk walk_start(const char *table, size_t length, int32_t first_line)
{
    const unsigned char *bytes = (const unsigned char *)table;

    return (location_walk){.next = bytes, .end = bytes + length, .line = first_line};
}

/* Takes one more entry; false if there is none left. */
static bool walk_next(location_walk *walk)
{
    const unsigned char *entry = walk->next;

    if (entry >= walk->end)
        return false;
    /* A table can be anything (code.replace), so the sum may wrap around. */
    walk->line = (int32_t)((uint32_t)walk->line + (uint32_t)line_delta(entry, walk->end));
    walk->has_line = (*entry >> 3 & 15) != KIND_NONE;
    walk->end_bytes += ((*entry & 7) + 1) * MW_INSTRUCTION_UNIT_BYTES;
    do
        entry++;
    while (entry < walk->end && (*entry & ENTRY_START) == 0);
    walk->next = entry;
    return true;
}

int32_t mw_location_table_line(const char *table, size_t length, int32_t first_line,
                               int32_t offset_bytes)
{
    location_walk walk = walk_start(table, length, first_line);

    if (offset_bytes < 0)
        return first_line;
    while (walk_next(&walk)) {
        if (offset_bytes < walk.end_bytes)
            return walk.has_line ? walk.line : -1;
    }
    return -1;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_code_table_init(mw_code_table *table, mw_alloc *alloc)
{
    mw_status status;

    *table = (mw_code_table){.alloc = alloc, .code_count = 1, .instruction_count = 1};
    mw_hash_index_init(&table->code_index, alloc);
    mw_hash_index_init(&table->instruction_index, alloc);
    mw_address_map_init(&table->objects, alloc);
    mw_address_map_init(&table->addresses, alloc);
    status = mw_string_pool_init(&table->strings, alloc);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(alloc, &table->codes, 0, &table->code_capacity, sizeof *table->codes,
                           MAXIMUM);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(alloc, &table->instructions, 0, &table->instruction_capacity,
                         sizeof *table->instructions, MAXIMUM);
}

void mw_code_table_done(mw_code_table *table)
{
    if (table->alloc == NULL)
        return;
    mw_string_pool_done(&table->strings);
    mw_hash_index_done(&table->code_index);
    mw_hash_index_done(&table->instruction_index);
    mw_address_map_done(&table->objects);
    mw_address_map_done(&table->addresses);
    mw_alloc_release(table->alloc, table->codes, table->code_capacity * sizeof *table->codes);
    mw_alloc_release(table->alloc, table->instructions,
                     table->instruction_capacity * sizeof *table->instructions);
    *table = (mw_code_table){0};
}

mw_status mw_code_table_copy(const mw_code_table *table, mw_alloc *alloc, mw_code_table *ret_copy)
{
    mw_code_table copy = {.alloc = alloc,
                          .code_count = table->code_count,
                          .code_capacity = table->code_count,
                          .instruction_count = table->instruction_count,
                          .instruction_capacity = table->instruction_count,
                          .not_recorded = table->not_recorded};
    mw_status status = mw_string_pool_copy(&table->strings, alloc, &copy.strings);

    copy.codes = mw_alloc_array(alloc, copy.code_capacity, sizeof *copy.codes);
    copy.instructions = mw_alloc_array(alloc, copy.instruction_capacity, sizeof *copy.instructions);
    *ret_copy = copy;
    if (status != MW_OK || copy.codes == NULL || copy.instructions == NULL) {
        mw_code_table_done(ret_copy);
        return MW_NO_MEMORY;
    }
    memcpy(copy.codes, table->codes, table->code_count * sizeof *copy.codes);
    memcpy(copy.instructions, table->instructions,
           table->instruction_count * sizeof *copy.instructions);
    return MW_OK;
}

/* ── interning ───────────────────────────────────────────────────────────────────── */

static const char not_recorded[] = "<not recorded>";

mw_status mw_code_table_limit(mw_code_table *table, const mw_budget *budget)
{
    table->budget = budget;
    return mw_string_pool_intern(&table->strings, not_recorded, sizeof not_recorded - 1,
                                 &table->not_recorded.index);
}

static bool is_closed(const mw_code_table *table)
{
    return mw_budget_stage(table->budget) >= MW_STAGE_COARSE;
}

mw_status mw_code_table_string(mw_code_table *table, const char *bytes, size_t length,
                               mw_string *ret_string)
{
    if (!is_closed(table))
        return mw_string_pool_intern(&table->strings, bytes, length, &ret_string->index);
    if (!mw_string_pool_find(&table->strings, bytes, length, &ret_string->index))
        *ret_string = table->not_recorded;
    return MW_OK;
}

static uint64_t code_hash(const mw_code_row *row)
{
    uint64_t names = mw_hash_combine((uint64_t)row->file.index << 32 | row->function.index,
                                     (uint64_t)row->module.index << 32 | row->lines.index);

    return mw_hash_combine(names, (uint32_t)row->first_line);
}

static bool same_code(const mw_code_row *a, const mw_code_row *b)
{
    return a->file.index == b->file.index && a->function.index == b->function.index &&
           a->module.index == b->module.index && a->lines.index == b->lines.index &&
           a->first_line == b->first_line;
}

static uint32_t find_code(const mw_code_table *table, const mw_code_row *row)
{
    mw_hash_probe probe = mw_hash_probe_start(code_hash(row));
    uint32_t number;

    while ((number = mw_hash_index_next(&table->code_index, &probe)) != 0)
        if (same_code(&table->codes[number], row))
            return number;
    return 0;
}

static mw_status append_code(mw_code_table *table, const mw_code_row *row, mw_code *ret_code)
{
    mw_status status = mw_hash_index_reserve(&table->code_index, 1);
    uint32_t number;

    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(table->alloc, &table->codes, table->code_count, &table->code_capacity,
                           sizeof *table->codes, MAXIMUM);
    if (status != MW_OK)
        return status;
    number = table->code_count++;
    table->codes[number] = *row;
    table->codes[number].first_instruction = 0;
    mw_hash_index_add(&table->code_index, code_hash(row), number);
    *ret_code = (mw_code){number};
    return MW_OK;
}

mw_status mw_code_table_intern(mw_code_table *table, mw_code_row row, mw_code *ret_code)
{
    uint32_t number = find_code(table, &row);

    if (number == 0 && is_closed(table)) {
        row = (mw_code_row){.file = row.file, .function = table->not_recorded};
        number = find_code(table, &row);
    }
    if (number == 0)
        return append_code(table, &row, ret_code);
    *ret_code = (mw_code){number};
    return MW_OK;
}

bool mw_code_table_is_coarse(const mw_code_table *table, mw_code code)
{
    const mw_code_row *row = &table->codes[code.index];

    return table->not_recorded.index != 0 && row->function.index == table->not_recorded.index &&
           row->lines.index == 0;
}

static uint32_t find_instruction(const mw_code_table *table, mw_code code, int32_t offset_bytes,
                                 uint64_t hash)
{
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t number;

    while ((number = mw_hash_index_next(&table->instruction_index, &probe)) != 0) {
        const mw_instruction_row *row = &table->instructions[number];

        if (row->code == code.index && row->offset_bytes == offset_bytes)
            return number;
    }
    return 0;
}

static mw_status append_instruction(mw_code_table *table, mw_code code, int32_t offset_bytes,
                                    uint64_t hash, mw_instruction *ret_instruction)
{
    mw_status status = mw_hash_index_reserve(&table->instruction_index, 1);
    uint32_t number;

    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(table->alloc, &table->instructions, table->instruction_count,
                           &table->instruction_capacity, sizeof *table->instructions, MAXIMUM);
    if (status != MW_OK)
        return status;
    number = table->instruction_count++;
    table->instructions[number] =
        (mw_instruction_row){code.index, offset_bytes, table->codes[code.index].first_instruction};
    table->codes[code.index].first_instruction = number;
    mw_hash_index_add(&table->instruction_index, hash, number);
    *ret_instruction = (mw_instruction){number};
    return MW_OK;
}

mw_status mw_code_table_instruction(mw_code_table *table, mw_code code, int32_t offset_bytes,
                                    mw_instruction *ret_instruction)
{
    uint64_t hash;
    uint32_t number;

    if (mw_code_table_is_coarse(table, code))
        offset_bytes = 0;
    hash = mw_hash_combine(code.index, (uint32_t)offset_bytes);
    number = find_instruction(table, code, offset_bytes, hash);
    if (number == 0)
        return append_instruction(table, code, offset_bytes, hash, ret_instruction);
    *ret_instruction = (mw_instruction){number};
    return MW_OK;
}

/* ── live code objects ───────────────────────────────────────────────────────────── */

mw_status mw_code_table_bind(mw_code_table *table, uintptr_t object, uintptr_t first_address,
                             mw_code code)
{
    mw_address_entry *entry;

    if (mw_code_table_is_coarse(table, code))
        return MW_OK;
    entry = mw_address_map_put(&table->objects, object);
    if (entry == NULL)
        return is_closed(table) ? MW_OK : MW_NO_MEMORY;
    entry->value = first_address;
    entry->label = code.index;
    return MW_OK;
}

mw_code mw_code_table_bound(const mw_code_table *table, uintptr_t object)
{
    const mw_address_entry *entry = mw_address_map_find(&table->objects, object);

    return (mw_code){entry != NULL ? entry->label : 0};
}

mw_status mw_code_table_bind_address(mw_code_table *table, uintptr_t address,
                                     mw_instruction instruction)
{
    mw_address_entry *entry = mw_address_map_put(&table->addresses, address);

    if (entry == NULL)
        return is_closed(table) ? MW_OK : MW_NO_MEMORY;
    entry->label = instruction.index;
    return MW_OK;
}

/* Where an instruction is in a live code object.  Unsigned arithmetic wraps around for a
 * negative offset, as it should. */
static uintptr_t address_of(const mw_code_table *table, uintptr_t first_address, uint32_t number)
{
    return first_address + (uintptr_t)(intptr_t)table->instructions[number].offset_bytes;
}

void mw_code_table_unbind(mw_code_table *table, uintptr_t object)
{
    mw_address_entry *entry = mw_address_map_find(&table->objects, object);
    uintptr_t first_address;
    uint32_t number;

    if (entry == NULL)
        return;
    first_address = entry->value;
    number = table->codes[entry->label].first_instruction;
    mw_address_map_remove(&table->objects, entry);
    for (; number != 0; number = table->instructions[number].next) {
        entry = mw_address_map_find(&table->addresses, address_of(table, first_address, number));
        if (entry != NULL)
            mw_address_map_remove(&table->addresses, entry);
    }
}

/* ── questions ───────────────────────────────────────────────────────────────────── */

int32_t mw_code_table_line(const mw_code_table *table, mw_instruction instruction)
{
    const mw_instruction_row *row = &table->instructions[instruction.index];
    const mw_code_row *code = &table->codes[row->code];
    int32_t line = mw_location_table_line(mw_string_pool_bytes(&table->strings, code->lines.index),
                                          mw_string_pool_length(&table->strings, code->lines.index),
                                          code->first_line, row->offset_bytes);

    return line < 0 ? 0 : line;
}

/* One past the last offset of a code's instructions, 0 if all are negative. */
static uint32_t end_of_offsets(const mw_code_table *table, mw_code code)
{
    uint32_t end = 0;

    for (uint32_t number = table->codes[code.index].first_instruction; number != 0;
         number = table->instructions[number].next) {
        int32_t offset_bytes = table->instructions[number].offset_bytes;

        if (offset_bytes >= 0 && (uint32_t)offset_bytes >= end)
            end = (uint32_t)offset_bytes + 1;
    }
    return end;
}

/* The line of each unit of a code before [unit_count], 0 where there is none. */
static void fill_lines_of_units(const mw_code_table *table, const mw_code_row *code,
                                int32_t *of_units, uint32_t unit_count)
{
    location_walk walk =
        walk_start(mw_string_pool_bytes(&table->strings, code->lines.index),
                   mw_string_pool_length(&table->strings, code->lines.index), code->first_line);
    uint32_t unit = 0;

    while (unit < unit_count && walk_next(&walk)) {
        int32_t line = walk.has_line && walk.line > 0 ? walk.line : 0;

        for (; unit < unit_count && unit * (int64_t)MW_INSTRUCTION_UNIT_BYTES < walk.end_bytes;
             unit++)
            of_units[unit] = line;
    }
}

mw_status mw_code_table_lines(const mw_code_table *table, mw_code code, mw_alloc *scratch,
                              int32_t *lines)
{
    const mw_code_row *row = &table->codes[code.index];
    /* An entry says the line of eight units at most, and is a byte long at least. */
    uint64_t covered = UINT64_C(8) * mw_string_pool_length(&table->strings, row->lines.index);
    uint64_t wanted = ((uint64_t)end_of_offsets(table, code) + 1) / MW_INSTRUCTION_UNIT_BYTES;
    uint32_t unit_count = (uint32_t)(wanted < covered ? wanted : covered);
    int32_t *of_units = mw_alloc_array(scratch, unit_count, sizeof *of_units);

    if (of_units == NULL)
        return MW_NO_MEMORY;
    fill_lines_of_units(table, row, of_units, unit_count);
    for (uint32_t number = row->first_instruction; number != 0;
         number = table->instructions[number].next) {
        int32_t offset_bytes = table->instructions[number].offset_bytes;
        uint32_t unit = (uint32_t)offset_bytes / MW_INSTRUCTION_UNIT_BYTES;

        if (offset_bytes < 0)
            lines[number] = row->first_line > 0 ? row->first_line : 0;
        else
            lines[number] = unit < unit_count ? of_units[unit] : 0;
    }
    mw_alloc_release(scratch, of_units, unit_count * sizeof *of_units);
    return MW_OK;
}

/* Every instruction is in the list of its code, once. */
static bool lists_are_consistent(const mw_code_table *table)
{
    uint32_t listed = 0;

    for (uint32_t code = 1; code < table->code_count; code++) {
        uint32_t number = table->codes[code].first_instruction;

        for (; number != 0; number = table->instructions[number].next)
            if (number >= table->instruction_count || table->instructions[number].code != code ||
                ++listed >= table->instruction_count)
                return false;
    }
    return listed == table->instruction_count - 1;
}

/* Every bound address is that of an instruction of a bound object, and stands for it. */
static bool bindings_are_consistent(const mw_code_table *table)
{
    uint32_t reached = 0;

    for (uint32_t slot = 0; slot < mw_address_map_slot_count(&table->objects); slot++) {
        const mw_address_entry *object = &table->objects.slots[slot];
        uint32_t number;

        if (object->address == 0)
            continue;
        if (object->label == 0 || object->label >= table->code_count)
            return false;
        number = table->codes[object->label].first_instruction;
        for (; number != 0; number = table->instructions[number].next) {
            mw_instruction found =
                mw_code_table_find(table, address_of(table, object->value, number));

            if (found.index == 0)
                continue;
            reached++;
            if (found.index != number && found.index != MW_INSTRUCTION_TRANSPARENT)
                return false;
        }
    }
    return reached == table->addresses.count;
}

bool mw_code_table_is_consistent(const mw_code_table *table)
{
    return table->code_index.count == table->code_count - 1 &&
           table->instruction_index.count == table->instruction_count - 1 &&
           lists_are_consistent(table) && bindings_are_consistent(table) &&
           mw_address_map_is_consistent(&table->objects) &&
           mw_address_map_is_consistent(&table->addresses) &&
           mw_hash_index_is_consistent(&table->code_index) &&
           mw_hash_index_is_consistent(&table->instruction_index) &&
           mw_string_pool_is_consistent(&table->strings);
}

static size_t strings_bytes(const mw_string_pool *strings)
{
    return strings->byte_count + strings->count * sizeof *strings->entries +
           strings->index.capacity * sizeof *strings->index.slots;
}

size_t mw_code_table_memory_bytes(const mw_code_table *table)
{
    return strings_bytes(&table->strings) + table->code_count * sizeof *table->codes +
           table->instruction_count * sizeof *table->instructions +
           table->code_index.capacity * sizeof *table->code_index.slots +
           table->instruction_index.capacity * sizeof *table->instruction_index.slots +
           mw_address_map_memory_bytes(&table->objects) +
           mw_address_map_memory_bytes(&table->addresses);
}
