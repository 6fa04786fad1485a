/* SPDX-License-Identifier: MIT
 *
 * What the interpreter's code objects were, in bytes of our own, so that a block's
 * function, file and line can be told long after its code object has died, without
 * keeping a single one alive.
 *
 *   code          file, function, module, first line and location table, interned by
 *                 content: a source that is compiled again and again (templates, exec,
 *                 namedtuple) is one code, however often
 *   instruction   a code and an offset in it, interned: what paths are made of
 *   bound objects the live code objects, by address: from the address of an instruction
 *                 to its number in one look-up
 *
 * When a code object dies, its addresses are unbound at once (mw_code_table_unbind), so
 * that another that is born at the same place is never taken for it.
 *
 * Lines are computed late, from the location table of PEP 626 as CPython 3.11 and later
 * write it (InternalDocs/code_objects.md).
 *
 * A table that has a budget (mw_code_table_limit) takes no more names and line tables from
 * the stage COARSE on.  A code that is new then is "<not recorded>" in its file, if the
 * file is known, has one instruction without a line, and is not bound: there are as many
 * of these as files, however many sources a program compiles.
 *
 * Not thread-safe; whoever owns the table owns its guard.
 */
#pragma once

#include "base/hash.h"
#include "base/string_pool.h"
#include "core/address_map.h"
#include "core/budget.h"
#include "core/ids.h"

enum { MW_INSTRUCTION_UNIT_BYTES = 2 }; /* sizeof(_Py_CODEUNIT) */

typedef struct mw_code_row {
    mw_string file;
    mw_string function; /* the qualified name  */
    mw_string module;   /* __name__ of the globals of the first frame seen; may be ""      */
    mw_string lines;    /* the location table                                              */
    int32_t first_line;
    uint32_t first_instruction; /* head of the list of its instructions, 0 = none           */
} mw_code_row;

typedef struct mw_instruction_row {
    uint32_t code;
    int32_t offset_bytes; /* from the code's first instruction; -2 before it ran        */
    uint32_t next;        /* the code's next one, 0 = none                             */
} mw_instruction_row;

typedef struct mw_code_table {
    mw_alloc *alloc;        /* borrowed                                             */
    mw_string_pool strings; /* names and location tables                            */
    mw_code_row *codes;     /* owned; [0] is unknown                                */
    uint32_t code_count, code_capacity;
    mw_instruction_row *instructions; /* owned; [0] is unknown                       */
    uint32_t instruction_count, instruction_capacity;
    mw_hash_index code_index;        /* by content                                   */
    mw_hash_index instruction_index; /* by code and offset                           */
    mw_address_map objects;          /* code object → value: its first instruction, label: code */
    mw_address_map addresses;        /* instruction → label: its number, or transparent         */
    const mw_budget *budget;         /* borrowed, or NULL                            */
    mw_string not_recorded;          /* the name of what is not; once there is a budget */
} mw_code_table;

mw_status mw_code_table_init(mw_code_table *table, mw_alloc *alloc) MW_MUST_CHECK;
void mw_code_table_done(mw_code_table *table); /* accepts a zeroed struct */
/* From now on the table keeps to [budget]. */
mw_status mw_code_table_limit(mw_code_table *table, const mw_budget *budget) MW_MUST_CHECK;
/* Makes [ret_copy] the same codes, instructions and names by the same numbers, to be read
 * alone: it knows of no object, and nothing is interned in it.  Zeroed on failure; else it is
 * mw_code_table_done's to release. */
mw_status mw_code_table_copy(const mw_code_table *table, mw_alloc *alloc, mw_code_table *ret_copy)
    MW_MUST_CHECK;
bool mw_code_table_is_consistent(const mw_code_table *table);
/* In use: the tail of a doubled array is untouched pages and costs nothing. */
size_t mw_code_table_memory_bytes(const mw_code_table *table);

mw_status mw_code_table_string(mw_code_table *table, const char *bytes, size_t length,
                               mw_string *ret_string) MW_MUST_CHECK;
/* Interns; [row]'s list of instructions is ignored. */
mw_status mw_code_table_intern(mw_code_table *table, mw_code_row row, mw_code *ret_code)
    MW_MUST_CHECK;
mw_status mw_code_table_instruction(mw_code_table *table, mw_code code, int32_t offset_bytes,
                                    mw_instruction *ret_instruction) MW_MUST_CHECK;

/* Whether [code] stands for all of its file that is not recorded. */
bool mw_code_table_is_coarse(const mw_code_table *table, mw_code code);

/* The live code object at [object] is [code], and its instructions begin at
 * [first_address].  With the budget used up it may stay unbound, as a coarse code always
 * does; then its addresses may not be bound either. */
mw_status mw_code_table_bind(mw_code_table *table, uintptr_t object, uintptr_t first_address,
                             mw_code code) MW_MUST_CHECK;
/* The code that is bound to [object], 0 if none is. */
mw_code mw_code_table_bound(const mw_code_table *table, uintptr_t object);
/* Makes [address] stand for [instruction] (or for MW_INSTRUCTION_TRANSPARENT) until its
 * code object is unbound; the instruction at [address] must have been interned. */
mw_status mw_code_table_bind_address(mw_code_table *table, uintptr_t address,
                                     mw_instruction instruction) MW_MUST_CHECK;
/* The code object at [object] has died.  Unknown ones are ignored. */
void mw_code_table_unbind(mw_code_table *table, uintptr_t object);

/* The instruction at [address], 0 if it is not bound. */
static inline mw_instruction mw_code_table_find(const mw_code_table *table, uintptr_t address)
{
    const mw_address_entry *entry = mw_address_map_find(&table->addresses, address);

    return (mw_instruction){entry != NULL ? entry->label : 0};
}

/* The line of an instruction; 0 where it has none. */
int32_t mw_code_table_line(const mw_code_table *table, mw_instruction instruction);
/* The same for every instruction of a code, into [lines] at the instruction's number: in
 * one pass over the location table, where asking for one after the other takes one each. */
mw_status mw_code_table_lines(const mw_code_table *table, mw_code code, mw_alloc *scratch,
                              int32_t *lines) MW_MUST_CHECK;

/* The line at [offset_bytes] by a location table; -1 where it has none.  Before the first
 * instruction (a negative offset) it is the code's first line. */
int32_t mw_location_table_line(const char *table, size_t length, int32_t first_line,
                               int32_t offset_bytes);
