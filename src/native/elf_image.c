/* SPDX-License-Identifier: MIT */
#include "native/elf_image.h"

#include <string.h>

/* Which relocations put a symbol's address, as it is, into a pointer. */
#if defined(__x86_64__)
enum { OF_CALL = R_X86_64_JUMP_SLOT, OF_IMPORT = R_X86_64_GLOB_DAT, OF_POINTER = R_X86_64_64 };
#elif defined(__aarch64__)
enum {
    OF_CALL = R_AARCH64_JUMP_SLOT,
    OF_IMPORT = R_AARCH64_GLOB_DAT,
    OF_POINTER = R_AARCH64_ABS64
};
#else
enum { OF_CALL = -1, OF_IMPORT = -1, OF_POINTER = -1 };
#endif

#if __ELF_NATIVE_CLASS == 64
#define RELOCATION_TYPE(info)   ELF64_R_TYPE(info)
#define RELOCATION_SYMBOL(info) ELF64_R_SYM(info)
#else
#define RELOCATION_TYPE(info)   ELF32_R_TYPE(info)
#define RELOCATION_SYMBOL(info) ELF32_R_SYM(info)
#endif

enum {
    VERSION_HIDDEN = 0x8000, /* of a symbol's version: others do not get it by name alone */
    CHAIN_MAXIMUM = 1 << 20, /* steps; a chain of a malformed object may have no end      */
    DYNAMIC_MAXIMUM = 4096,  /* entries                                                   */
};

/* ── where things lie ────────────────────────────────────────────────────────────── */

bool mw_elf_image_has(const mw_elf_image *image, uintptr_t address, size_t size_bytes,
                      uint32_t flags)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const ElfW(Phdr) *segment = &image->segments[i];
        uintptr_t offset = address - (image->base + segment->p_vaddr);

        if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags &&
            offset <= segment->p_memsz && size_bytes <= segment->p_memsz - offset)
            return true;
    }
    return false;
}

static bool has_rows(const mw_elf_image *image, const void *rows, size_t row, size_t row_bytes)
{
    uintptr_t offset;

    return !__builtin_mul_overflow(row, row_bytes, &offset) &&
           mw_elf_image_has(image, (uintptr_t)rows + offset, row_bytes, PF_R);
}

/* The dynamic linker adds the base to addresses in the dynamic section, but not in every
 * object and not everywhere. */
static const void *pointer_of(const mw_elf_image *image, uintptr_t value, size_t alignment)
{
    if (!mw_elf_image_has(image, value, 1, PF_R))
        value += image->base;
    if (!mw_elf_image_has(image, value, 1, PF_R) || value % alignment != 0)
        return NULL;
    return (const void *)value;
}

/* ── opening ─────────────────────────────────────────────────────────────────────── */

/* What is said in several entries. */
typedef struct dynamic_words {
    uintptr_t tables[MW_ELF_RELOCATION_TABLES];
    size_t bytes[MW_ELF_RELOCATION_TABLES];
    bool calls_are_rela;
    size_t row_bytes;
} dynamic_words;

static void read_entry(mw_elf_image *image, dynamic_words *words, const ElfW(Dyn) * entry)
{
    uintptr_t value = entry->d_un.d_ptr;

    switch (entry->d_tag) {
    case DT_SYMTAB:
        image->symbols = pointer_of(image, value, _Alignof(ElfW(Sym)));
        break;
    case DT_STRTAB:
        image->strings = pointer_of(image, value, 1);
        break;
    case DT_STRSZ:
        image->strings_bytes = value;
        break;
    case DT_VERSYM:
        image->versions = pointer_of(image, value, _Alignof(uint16_t));
        break;
    case DT_GNU_HASH:
        image->gnu_hash = pointer_of(image, value, _Alignof(ElfW(Addr)));
        break;
    case DT_HASH:
        image->sysv_hash = pointer_of(image, value, _Alignof(uint32_t));
        break;
    case DT_JMPREL:
        words->tables[0] = value;
        break;
    case DT_PLTRELSZ:
        words->bytes[0] = value;
        break;
    case DT_PLTREL:
        words->calls_are_rela = value == DT_RELA;
        break;
    case DT_RELA:
        words->tables[1] = value;
        break;
    case DT_RELASZ:
        words->bytes[1] = value;
        break;
    case DT_RELAENT:
        words->row_bytes = value;
        break;
    default:
        break;
    }
}

static mw_status read_dynamic(mw_elf_image *image, dynamic_words *words, const ElfW(Phdr) * segment)
{
    const ElfW(Dyn) *entries = pointer_of(image, image->base + segment->p_vaddr, sizeof(uintptr_t));

    if (entries == NULL)
        return MW_BAD_INPUT;
    for (size_t i = 0; i < DYNAMIC_MAXIMUM; i++) {
        if (!has_rows(image, entries, i, sizeof *entries))
            return MW_BAD_INPUT;
        if (entries[i].d_tag == DT_NULL)
            return MW_OK;
        read_entry(image, words, &entries[i]);
    }
    return MW_BAD_INPUT;
}

static mw_status read_tables(mw_elf_image *image, const dynamic_words *words)
{
    if (image->symbols == NULL || image->strings == NULL || image->strings_bytes == 0 ||
        !mw_elf_image_has(image, (uintptr_t)image->strings, image->strings_bytes, PF_R))
        return MW_BAD_INPUT;
    /* So that every name has an end. */
    if (image->strings[image->strings_bytes - 1] != '\0')
        return MW_BAD_INPUT;
    if (words->row_bytes != 0 && words->row_bytes != sizeof(ElfW(Rela)))
        return MW_BAD_INPUT;
    for (int table = 0; table < MW_ELF_RELOCATION_TABLES; table++) {
        size_t count = words->bytes[table] / sizeof(ElfW(Rela));
        const ElfW(Rela) * rows;

        if (count == 0 || (table == 0 && !words->calls_are_rela))
            continue;
        rows = pointer_of(image, words->tables[table], _Alignof(ElfW(Rela)));
        if (rows == NULL || !mw_elf_image_has(image, (uintptr_t)rows, count * sizeof *rows, PF_R))
            return MW_BAD_INPUT;
        image->relocations[table] = (mw_elf_relocations){rows, count};
    }
    return MW_OK;
}

/* Whether whole pages lie in a segment that was writable while it was relocated. */
static bool has_pages(const mw_elf_image *image, uintptr_t begin, uintptr_t end, size_t page_bytes)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const ElfW(Phdr) *segment = &image->segments[i];
        uintptr_t first = image->base + segment->p_vaddr;
        uintptr_t last = first + segment->p_memsz;

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0 && first <= last &&
            begin >= (first & ~(page_bytes - 1)) && end <= last + page_bytes - 1)
            return true;
    }
    return false;
}

/* As the dynamic linker rounds it. */
static mw_status read_relro(mw_elf_image *image, const ElfW(Phdr) * segment, size_t page_bytes)
{
    uintptr_t begin = (image->base + segment->p_vaddr) & ~(page_bytes - 1);
    uintptr_t end = (image->base + segment->p_vaddr + segment->p_memsz) & ~(page_bytes - 1);

    if (begin == end)
        return MW_OK;
    if (begin > end || !has_pages(image, begin, end, page_bytes))
        return MW_BAD_INPUT;
    image->relro_begin = begin;
    image->relro_end = end;
    return MW_OK;
}

mw_status mw_elf_image_open(mw_elf_image *image, uintptr_t base, const ElfW(Phdr) * segments,
                            size_t segment_count, size_t page_bytes)
{
    const ElfW(Phdr) *dynamic = NULL;
    dynamic_words words = {0};
    mw_status status = MW_OK;

    *image = (mw_elf_image){.base = base, .segments = segments, .segment_count = segment_count};
    for (size_t i = 0; i < segment_count && status == MW_OK; i++) {
        if (segments[i].p_type == PT_DYNAMIC)
            dynamic = &segments[i];
        else if (segments[i].p_type == PT_GNU_RELRO)
            status = read_relro(image, &segments[i], page_bytes);
    }
    if (status == MW_OK)
        status = dynamic != NULL ? read_dynamic(image, &words, dynamic) : MW_BAD_INPUT;
    if (status == MW_OK)
        status = read_tables(image, &words);
    return status;
}

/* ── symbols ─────────────────────────────────────────────────────────────────────── */

static const char *name_of(const mw_elf_image *image, const ElfW(Sym) * symbol)
{
    return symbol->st_name < image->strings_bytes ? image->strings + symbol->st_name : NULL;
}

static bool is_hidden(const mw_elf_image *image, uint32_t number)
{
    return image->versions != NULL &&
           has_rows(image, image->versions, number, sizeof *image->versions) &&
           (image->versions[number] & VERSION_HIDDEN) != 0;
}

/* Whether the symbol is a function or data of this name with an address. */
static bool is_symbol(const mw_elf_image *image, uint32_t number, const char *name,
                      mw_elf_symbol *ret_symbol)
{
    const ElfW(Sym) *symbol = &image->symbols[number];
    const char *its_name;
    unsigned int type;

    if (!has_rows(image, image->symbols, number, sizeof *symbol) || symbol->st_value == 0)
        return false;
    type = symbol->st_info & 0xf;
    if (type == STT_GNU_IFUNC || type == STT_TLS || is_hidden(image, number))
        return false;
    its_name = name_of(image, symbol);
    if (its_name == NULL || strcmp(its_name, name) != 0)
        return false;
    ret_symbol->address = (void *)(image->base + symbol->st_value);
    ret_symbol->is_defined = symbol->st_shndx != SHN_UNDEF;
    return mw_elf_image_has(image, (uintptr_t)ret_symbol->address, 1, PF_R);
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name != '\0'; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* Header of four words (buckets, first hashed symbol, words of the filter, its shift), the
 * filter, which we do without, the buckets, and a word for each hashed symbol: its hash,
 * the last bit telling the end of a chain. */
static bool find_by_gnu_hash(const mw_elf_image *image, const char *name, mw_elf_symbol *ret_symbol)
{
    const uint32_t *header = image->gnu_hash;
    uint32_t hash = gnu_hash_of(name);
    const uint32_t *buckets;
    const uint32_t *chains;
    uint32_t number;

    if (!has_rows(image, header, 0, 4 * sizeof *header) || header[0] == 0)
        return false;
    buckets = header + 4 + (size_t)header[2] * (sizeof(ElfW(Addr)) / sizeof *header);
    chains = buckets + header[0];
    if (!has_rows(image, buckets, hash % header[0], sizeof *buckets))
        return false;
    number = buckets[hash % header[0]];
    if (number < header[1])
        return false;
    for (uint32_t steps = 0; steps < CHAIN_MAXIMUM; steps++, number++) {
        if (!has_rows(image, chains, number - header[1], sizeof *chains))
            return false;
        if ((chains[number - header[1]] | 1) == (hash | 1) &&
            is_symbol(image, number, name, ret_symbol))
            return true;
        if ((chains[number - header[1]] & 1) != 0)
            return false;
    }
    return false;
}

static uint32_t sysv_hash_of(const char *name)
{
    uint32_t hash = 0;

    for (; *name != '\0'; name++) {
        uint32_t high;

        hash = (hash << 4) + (unsigned char)*name;
        high = hash & 0xf0000000;
        hash = (hash ^ high >> 24) & ~high;
    }
    return hash;
}

/* How many buckets, how many links, the buckets, the links; 0 ends a chain. */
static bool find_by_sysv_hash(const mw_elf_image *image, const char *name,
                              mw_elf_symbol *ret_symbol)
{
    const uint32_t *header = image->sysv_hash;
    uint32_t number;
    uint32_t bucket;

    if (!has_rows(image, header, 0, 2 * sizeof *header) || header[0] == 0)
        return false;
    bucket = sysv_hash_of(name) % header[0];
    if (!has_rows(image, header, 2 + (size_t)bucket, sizeof *header))
        return false;
    number = header[2 + (size_t)bucket];
    for (uint32_t steps = 0; number != 0 && steps < CHAIN_MAXIMUM; steps++) {
        if (is_symbol(image, number, name, ret_symbol))
            return true;
        if (!has_rows(image, header, 2 + (size_t)header[0] + number, sizeof *header))
            return false;
        number = header[2 + (size_t)header[0] + number];
    }
    return false;
}

bool mw_elf_image_find(const mw_elf_image *image, const char *name, mw_elf_symbol *ret_symbol)
{
    if (image->gnu_hash != NULL)
        return find_by_gnu_hash(image, name, ret_symbol);
    return image->sysv_hash != NULL && find_by_sysv_hash(image, name, ret_symbol);
}

/* ── slots ───────────────────────────────────────────────────────────────────────── */

bool mw_elf_image_slot(const mw_elf_image *image, unsigned int table, size_t row,
                       mw_elf_slot *ret_slot)
{
    const ElfW(Rela) *relocation = &image->relocations[table].rows[row];
    int64_t type = (int64_t)RELOCATION_TYPE(relocation->r_info);
    size_t number = RELOCATION_SYMBOL(relocation->r_info);
    uintptr_t address = image->base + relocation->r_offset;

    if (type != OF_CALL && type != OF_IMPORT && type != OF_POINTER)
        return false;
    if (number == 0 || (type == OF_POINTER && relocation->r_addend != 0) ||
        address % sizeof(void *) != 0 ||
        !has_rows(image, image->symbols, number, sizeof *image->symbols) ||
        !mw_elf_image_has(image, address, sizeof(void *), PF_R | PF_W))
        return false;
    ret_slot->name = name_of(image, &image->symbols[number]);
    ret_slot->address = (void **)address;
    ret_slot->is_of_call = type == OF_CALL;
    return ret_slot->name != NULL;
}
