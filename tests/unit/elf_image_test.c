/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "native/elf_image.h"

#include "testing.h"

#include <dlfcn.h>
#include <unistd.h>

enum { PAGE = 4096, FUZZ_SEEDS = 4000, NAME_COUNT = 3 };

/* ── a small object ──────────────────────────────────────────────────────────────── */

/* What a linker would write; its segments are the whole of it, and readable and writable. */
typedef struct small_object {
    ElfW(Dyn) dynamic[16];
    ElfW(Sym) symbols[4]; /* none, one, other, imported */
    ElfW(Rela) calls[2];
    ElfW(Rela) pointers[3];
    uint32_t gnu_hash[4 + 2 + 1 + 2]; /* header, a filter word, a bucket, two in the chain */
    uint32_t sysv_hash[2 + 1 + 4];
    uint16_t versions[4];
    void *slots[5];
    char strings[32];
    char code[16];
} small_object;

static const char names[] = "\0one\0other\0imported";

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (; *name != '\0'; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

#if defined(__aarch64__)
enum { CALL = R_AARCH64_JUMP_SLOT, IMPORT = R_AARCH64_GLOB_DAT, POINTER = R_AARCH64_ABS64 };
#else
enum { CALL = R_X86_64_JUMP_SLOT, IMPORT = R_X86_64_GLOB_DAT, POINTER = R_X86_64_64 };
#endif

static ElfW(Rela) relocation(uint32_t slot, uint32_t symbol, uint32_t type, int64_t addend)
{
    return (ElfW(Rela)){
        .r_offset = offsetof(small_object, slots) + slot * sizeof(void *),
        .r_info = ELF64_R_INFO((uint64_t)symbol, type),
        .r_addend = addend,
    };
}

static ElfW(Sym) symbol(uint32_t name, uint16_t section, uintptr_t value)
{
    return (ElfW(Sym)){.st_name = name,
                       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                       .st_shndx = section,
                       .st_value = value};
}

/* [is_based]: addresses in the dynamic section are as the dynamic linker leaves them. */
static void fill(small_object *object, bool is_based)
{
    uintptr_t base = is_based ? (uintptr_t)object : 0;
    const ElfW(Dyn) dynamic[16] = {
        {DT_SYMTAB, {base + offsetof(small_object, symbols)}},
        {DT_STRTAB, {base + offsetof(small_object, strings)}},
        {DT_STRSZ, {sizeof object->strings}},
        {DT_JMPREL, {base + offsetof(small_object, calls)}},
        {DT_PLTRELSZ, {sizeof object->calls}},
        {DT_PLTREL, {DT_RELA}},
        {DT_RELA, {base + offsetof(small_object, pointers)}},
        {DT_RELASZ, {sizeof object->pointers}},
        {DT_RELAENT, {sizeof(ElfW(Rela))}},
        {DT_GNU_HASH, {base + offsetof(small_object, gnu_hash)}},
        {DT_HASH, {base + offsetof(small_object, sysv_hash)}},
        {DT_VERSYM, {base + offsetof(small_object, versions)}},
        {DT_NULL, {0}},
    };
    const uint32_t gnu_hash[] = {
        1, 1, 1, 0, ~0u, ~0u, 1, gnu_hash_of("one") & ~1u, gnu_hash_of("other") | 1u};
    /* The chain of the one bucket: 1, then 2. */
    const uint32_t sysv_hash[] = {1, 4, 1, 0, 2, 0, 0};

    memset(object, 0, sizeof *object);
    memcpy(object->dynamic, dynamic, sizeof dynamic);
    memcpy(object->gnu_hash, gnu_hash, sizeof gnu_hash);
    memcpy(object->sysv_hash, sysv_hash, sizeof sysv_hash);
    memcpy(object->strings, names, sizeof names);
    object->symbols[1] = symbol(1, 1, offsetof(small_object, code));
    object->symbols[2] = symbol(5, 1, offsetof(small_object, code) + 8);
    object->symbols[3] = symbol(11, SHN_UNDEF, 0);
    object->calls[0] = relocation(0, 3, CALL, 0);
    object->calls[1] = relocation(1, 1, CALL, 0);
    object->pointers[0] = relocation(2, 3, IMPORT, 0);
    object->pointers[1] = relocation(3, 3, POINTER, 0);
    object->pointers[2] = relocation(4, 3, POINTER, 8);
    for (int i = 0; i < 4; i++)
        object->versions[i] = 2;
}

static const ElfW(Phdr) segments[2] = {
    {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_memsz = sizeof(small_object)},
    {.p_type = PT_DYNAMIC,
     .p_vaddr = offsetof(small_object, dynamic),
     .p_memsz = sizeof(((small_object *)NULL)->dynamic)},
};

static mw_status open_object(mw_elf_image *image, const small_object *object)
{
    return mw_elf_image_open(image, (uintptr_t)object, segments, 2, PAGE);
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

TEST(elf_image, finds_symbols_by_either_hash_with_addresses_based_or_not)
{
    small_object *object = malloc(sizeof *object);

    for (int variant = 0; variant < 4; variant++) {
        mw_elf_image image;
        mw_elf_symbol found;

        fill(object, variant % 2 != 0);
        if (variant / 2 != 0)
            object->dynamic[9].d_tag = DT_DEBUG; /* no GNU hash */
        CHECK_OK(open_object(&image, object));
        CHECK(mw_elf_image_find(&image, "one", &found));
        assert_ptr_equal(found.address, object->code);
        CHECK(found.is_defined);
        CHECK(mw_elf_image_find(&image, "other", &found));
        assert_ptr_equal(found.address, object->code + 8);
        CHECK(!mw_elf_image_find(&image, "imported", &found));
        CHECK(!mw_elf_image_find(&image, "on", &found));
        CHECK(!mw_elf_image_find(&image, "", &found));
    }
    free(object);
}

TEST(elf_image, passes_over_old_versions_and_functions_that_choose_when_bound)
{
    small_object *object = malloc(sizeof *object);
    mw_elf_image image;
    mw_elf_symbol found;

    fill(object, true);
    object->versions[1] |= 0x8000;
    object->symbols[2].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC);
    CHECK_OK(open_object(&image, object));
    CHECK(!mw_elf_image_find(&image, "one", &found));
    CHECK(!mw_elf_image_find(&image, "other", &found));
    free(object);
}

TEST(elf_image, knows_a_stub_from_a_definition)
{
    small_object *object = malloc(sizeof *object);
    mw_elf_image image;
    mw_elf_symbol found;

    fill(object, true);
    object->symbols[1].st_shndx = SHN_UNDEF;
    CHECK_OK(open_object(&image, object));
    CHECK(mw_elf_image_find(&image, "one", &found));
    CHECK(!found.is_defined);
    free(object);
}

TEST(elf_image, names_the_slots_that_hold_an_address_as_it_is)
{
    static const char *const expected[] = {"imported", "one", "imported", "imported", NULL};
    small_object *object = malloc(sizeof *object);
    mw_elf_image image;
    mw_elf_slot slot;

    fill(object, true);
    CHECK_OK(open_object(&image, object));
    CHECK_EQ(image.relocations[0].count, 2);
    CHECK_EQ(image.relocations[1].count, 3);
    for (unsigned int i = 0; i < 5; i++) {
        unsigned int table = i < 2 ? 0 : 1;
        bool is_slot = mw_elf_image_slot(&image, table, i < 2 ? i : i - 2, &slot);

        CHECK_EQ(is_slot, expected[i] != NULL);
        if (!is_slot)
            continue;
        CHECK_STR_EQ(slot.name, expected[i]);
        assert_ptr_equal(slot.address, &object->slots[i]);
        CHECK_EQ(slot.is_of_call, table == 0);
    }
    free(object);
}

TEST(elf_image, refuses_objects_without_what_is_needed)
{
    static const int64_t needed[] = {DT_SYMTAB, DT_STRTAB, DT_STRSZ};
    small_object *object = malloc(sizeof *object);
    mw_elf_image image;

    for (int i = 0; i < 3; i++) {
        fill(object, true);
        for (int entry = 0; entry < 16; entry++)
            if (object->dynamic[entry].d_tag == needed[i])
                object->dynamic[entry].d_tag = DT_DEBUG;
        CHECK_EQ(open_object(&image, object), MW_BAD_INPUT);
    }
    fill(object, true);
    object->strings[sizeof object->strings - 1] = 'x';
    CHECK_EQ(open_object(&image, object), MW_BAD_INPUT);
    fill(object, true);
    CHECK_EQ(mw_elf_image_open(&image, (uintptr_t)object, segments, 1, PAGE), MW_BAD_INPUT);
    CHECK_EQ(mw_elf_image_open(&image, (uintptr_t)object, segments, 0, PAGE), MW_BAD_INPUT);
    free(object);
}

/* Reads whatever can be read, which a sanitizer watches. */
static void read_all(const mw_elf_image *image, const small_object *object)
{
    static const char *const wanted[NAME_COUNT] = {"one", "other", "imported"};

    for (int i = 0; i < NAME_COUNT; i++) {
        mw_elf_symbol found;

        if (mw_elf_image_find(image, wanted[i], &found))
            CHECK((char *)found.address >= (const char *)object &&
                  (char *)found.address < (const char *)(object + 1));
    }
    for (unsigned int table = 0; table < MW_ELF_RELOCATION_TABLES; table++)
        for (size_t row = 0; row < image->relocations[table].count; row++) {
            mw_elf_slot slot;

            if (!mw_elf_image_slot(image, table, row, &slot))
                continue;
            CHECK(strlen(slot.name) < sizeof object->strings);
            CHECK((char *)slot.address >= (const char *)object &&
                  (char *)(slot.address + 1) <= (const char *)(object + 1));
        }
}

/* A block of its own from malloc, so that a sanitizer sees every byte beyond. */
TEST(elf_image, reads_nothing_outside_of_an_object_whatever_it_says)
{
    static const uint64_t odd_words[] = {0,          1,         7,          0x7fffffff,
                                         UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    uint32_t opened = 0;

    for (uint64_t seed = 0; seed < FUZZ_SEEDS; seed++) {
        small_object *object = malloc(sizeof *object);
        mw_random random = mw_random_of(seed);
        mw_elf_image image;

        fill(object, seed % 2 != 0);
        for (uint32_t changes = 1 + mw_random_below(&random, 3); changes > 0; changes--) {
            uint32_t place = mw_random_below(&random, sizeof *object / 4) * 4;
            uint64_t word = mw_random_below(&random, 2) != 0
                                ? odd_words[mw_random_below(&random, 8)]
                                : mw_random_below(&random, sizeof *object + 64);

            memcpy((char *)object + place, &word, mw_random_below(&random, 2) != 0 ? 4 : 2);
        }
        if (open_object(&image, object) == MW_OK) {
            opened++;
            read_all(&image, object);
        }
        free(object);
    }
    CHECK(opened > FUZZ_SEEDS / 4 && opened < FUZZ_SEEDS);
}

/* ── the objects of this process ─────────────────────────────────────────────────── */

static int find_dlsym(struct dl_phdr_info *object, size_t object_bytes, void *argument)
{
    void **found = argument;
    mw_elf_image image;
    mw_elf_symbol symbol_found;

    (void)object_bytes;
    if (*found == NULL &&
        mw_elf_image_open(&image, object->dlpi_addr, object->dlpi_phdr, object->dlpi_phnum,
                          (size_t)sysconf(_SC_PAGESIZE)) == MW_OK &&
        mw_elf_image_find(&image, "dlsym", &symbol_found) && symbol_found.is_defined)
        *found = symbol_found.address;
    return 0;
}

TEST(elf_image, agrees_with_the_dynamic_linker_on_where_a_function_is)
{
    void *found = NULL;

    dl_iterate_phdr(find_dlsym, &found);
    assert_non_null(found);
    assert_ptr_equal(found, dlsym(RTLD_DEFAULT, "dlsym"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(elf_image, finds_symbols_by_either_hash_with_addresses_based_or_not),
        CASE(elf_image, passes_over_old_versions_and_functions_that_choose_when_bound),
        CASE(elf_image, knows_a_stub_from_a_definition),
        CASE(elf_image, names_the_slots_that_hold_an_address_as_it_is),
        CASE(elf_image, refuses_objects_without_what_is_needed),
        CASE(elf_image, reads_nothing_outside_of_an_object_whatever_it_says),
        CASE(elf_image, agrees_with_the_dynamic_linker_on_where_a_function_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
