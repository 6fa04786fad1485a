/* SPDX-License-Identifier: MIT
 *
 * An ELF object as it lies in memory: its dynamic symbols, and the slots through which it
 * reaches the functions of others.
 *
 * Nothing that the object says of itself is believed: every table and every row must lie
 * in a readable segment, and what does not is "not there" or MW_BAD_INPUT.  The object
 * must stay loaded meanwhile, which is the case inside dl_iterate_phdr.
 *
 * On machines whose relocations we do not know, no object has slots.
 */
#pragma once

#include "base/status.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mw_elf_relocations {
    const ElfW(Rela) * rows; /* borrowed, or NULL */
    size_t count;
} mw_elf_relocations;

enum { MW_ELF_RELOCATION_TABLES = 2 }; /* of calls, which may be bound lazily, and all others */

typedef struct mw_elf_image {
    uintptr_t base;              /* what is added to the object's own addresses           */
    const ElfW(Phdr) * segments; /* borrowed                                              */
    size_t segment_count;
    const ElfW(Sym) * symbols; /* NULL: it has none                                     */
    const uint16_t *versions;  /* by symbol; may be NULL                                */
    const char *strings;       /* of [strings_bytes]                                    */
    size_t strings_bytes;
    const uint32_t *gnu_hash; /* either or both may be NULL                            */
    const uint32_t *sysv_hash;
    mw_elf_relocations relocations[MW_ELF_RELOCATION_TABLES]; /* [0]: of calls              */
    uintptr_t relro_begin; /* whole pages that are read-only once it is relocated    */
    uintptr_t relro_end;
} mw_elf_image;

/* A pointer in the object that the dynamic linker fills with a symbol's address. */
typedef struct mw_elf_slot {
    void **address;
    const char *name; /* of the symbol, in the object's strings               */
    bool is_of_call;  /* it may hold the address of a stub that binds it later */
} mw_elf_slot;

typedef struct mw_elf_symbol {
    void *address;
    bool is_defined; /* else: a stub that a fixed-address program has for another's function */
} mw_elf_symbol;

/* [page_bytes] is the system's.  MW_BAD_INPUT if there is no dynamic section, or a table
 * that is needed is not in the object. */
mw_status mw_elf_image_open(mw_elf_image *image, uintptr_t base, const ElfW(Phdr) * segments,
                            size_t segment_count, size_t page_bytes) MW_MUST_CHECK;

/* Whether [size_bytes] from [address] on lie in one segment that has all of [flags] (PF_R,
 * PF_W, PF_X). */
bool mw_elf_image_has(const mw_elf_image *image, uintptr_t address, size_t size_bytes,
                      uint32_t flags);

/* The symbol that others get by this name: the default version, if there are several.
 * Functions that choose their implementation when they are bound (IFUNC) are not found. */
bool mw_elf_image_find(const mw_elf_image *image, const char *name, mw_elf_symbol *ret_symbol);

/* The slot of one relocation; false if it is of another kind, or malformed. */
bool mw_elf_image_slot(const mw_elf_image *image, unsigned int table, size_t row,
                       mw_elf_slot *ret_slot);
