/* SPDX-License-Identifier: MIT */
#include "pyext/reuse_lock.h"

#include "pyext/standard_tracer.h"

#if MW_HAS_STANDARD_TRACER

#include "pyext/reborn.h"
#include "pyext/tested_flag.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

/* The head of CPython's _Py_hashtable_t (pycore_hashtable.h); the same in 3.11 and 3.12. */
typedef struct hash_table {
    size_t entry_count;
    size_t bucket_count;
    void **buckets;
    void *(*get_entry)(struct hash_table *table, const void *key);
    void *hash;
    void *compare;
    void *destroy_key;
    void *destroy_value;
} hash_table;

typedef void *(*get_entry_function)(hash_table *table, const void *key);

static int *flag;
static hash_table *table; /* NULL: not found yet */
static get_entry_function former;
static uintptr_t newest; /* what on_look_up has been asked for last, for the proof */

/* ── being asked ─────────────────────────────────────────────────────────────────── */

/* Whether somebody wants to know the traceback of the object in this block. */
static bool is_asked(uintptr_t address)
{
    const PyObject *object = mw_standard_tracer_asked();

    return object != NULL && address + py_preheader_bytes(Py_TYPE(object)) == (uintptr_t)object;
}

/* Under tracemalloc's lock and the GIL.  [key] is the address of an object's block, as far
 * as 3.11 can tell: of instances with a managed dictionary it asks for a place in the
 * block.  These never come from a free list, so there is nothing to move. */
static void *on_look_up(hash_table *asked_table, const void *key)
{
    mw_tracer *tracer = &mw_the_tracer;
    uintptr_t address = (uintptr_t)key;

    newest = address;
    if (tracer->is_active && !mw_guard_is_inside && !is_asked(address)) {
        if (address != tracer->newest_address)
            mw_reborn_slowly(tracer, address);
        tracer->newest_address = 0;
    }
    return former(asked_table, key);
}

/* ── finding the table ───────────────────────────────────────────────────────────── */

typedef struct table_search {
    uintptr_t within; /* an address in the writable segment that is searched */
    uintptr_t start, end;
    const void *hash, *compare;
    hash_table *found;
    unsigned found_count;
} table_search;

static int note_segment(struct dl_phdr_info *info, size_t size, void *data)
{
    table_search *search = data;

    (void)size;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[index];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0 ||
            search->within - start >= segment->p_memsz)
            continue;
        search->start = (start + sizeof(void *) - 1) & ~(uintptr_t)(sizeof(void *) - 1);
        search->end = start + segment->p_memsz;
        return 1;
    }
    return 0;
}

/* Copies what may not be there. */
static bool read_memory(uintptr_t from, void *to, size_t bytes)
{
    struct iovec local = {to, bytes};
    struct iovec remote = {(void *)from, bytes};

    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

static bool is_traces_table(const table_search *search, uintptr_t address)
{
    hash_table seen;

    return read_memory(address, &seen, sizeof seen) && seen.hash == search->hash &&
           seen.compare == search->compare && seen.destroy_key == NULL &&
           seen.destroy_value != NULL && seen.bucket_count != 0 &&
           (seen.bucket_count & (seen.bucket_count - 1)) == 0;
}

/* Looks at each word: the table is on the heap. */
static void search_segment(table_search *search)
{
    for (uintptr_t at = search->start; at + sizeof at <= search->end; at += sizeof at) {
        uintptr_t value = *(const uintptr_t *)at;

        if (value < (1 << 16) || value % (2 * sizeof value) != 0 || value >> 47 != 0 ||
            value - search->start < search->end - search->start ||
            value == (uintptr_t)search->found || !is_traces_table(search, value))
            continue;
        search->found = (hash_table *)value;
        search->found_count++;
    }
}

static const char *find_table(void)
{
    mw_tested_flag tested;
    const char *reason = mw_tested_flag_of_new_reference(&tested);
    table_search search = {
        .within = (uintptr_t)tested.flag,
        .hash = dlsym(RTLD_DEFAULT, "_Py_hashtable_hash_ptr"),
        .compare = dlsym(RTLD_DEFAULT, "_Py_hashtable_compare_direct"),
    };

    if (reason != NULL)
        return reason;
    if (search.hash == NULL || search.compare == NULL ||
        dl_iterate_phdr(note_segment, &search) != 1)
        return "the data of the interpreter was not found";
    search_segment(&search);
    if (search.found_count != 1)
        return "tracemalloc's table of blocks was not found";
    flag = tested.flag;
    table = search.found;
    return NULL;
}

/* ── on and off ──────────────────────────────────────────────────────────────────── */

static bool proves_itself(void)
{
    newest = 0;
    return (uintptr_t)mw_standard_tracer_pretend_object() == newest;
}

const char *mw_reuse_lock_install(void)
{
    const char *reason = table == NULL ? find_table() : NULL;

    if (reason == NULL)
        reason = mw_standard_tracer_raise(flag);
    if (reason != NULL)
        return reason;
    former = table->get_entry;
    table->get_entry = on_look_up;
    if (proves_itself())
        return NULL;
    mw_reuse_lock_remove();
    return "tracemalloc does not look objects up in its table";
}

void mw_reuse_lock_remove(void)
{
    if (table != NULL && table->get_entry == on_look_up)
        table->get_entry = former;
    mw_standard_tracer_lower();
}

#else

const char *mw_reuse_lock_install(void)
{
    return "known for x86-64 alone";
}

void mw_reuse_lock_remove(void)
{
}

#endif
