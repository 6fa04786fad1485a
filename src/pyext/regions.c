/* SPDX-License-Identifier: MIT */
#include "pyext/regions.h"

#include "base/hash.h"
#include "base/sync.h"
#include "core/region.h"

#include <pthread.h>

_Atomic uint32_t mw_the_region_count;

static mw_spinlock lock = MW_SPINLOCK_FREE;

/* ── names ───────────────────────────────────────────────────────────────────────── */

enum { NAME_SLOTS = 1 << 13 };

static const char others[] = "<other regions>";

typedef struct name_entry {
    uint32_t length;
    char bytes[MW_REGION_NAME_BYTES];
} name_entry;

/* Neither moves nor changes once it is written, so that it is read without the lock by who
 * has the number from under the lock.  What is not used is memory that nobody touched. */
static struct {
    uint32_t count;
    uint64_t others; /* how often one was wanted in vain */
    uint16_t slots[NAME_SLOTS];
    name_entry entries[MW_REGION_NAME_COUNT];
} names;

/* Where UTF-8 of [length] bytes may be cut so that what is left fits. */
static size_t fitting_length(const char *utf8, size_t length)
{
    if (length <= MW_REGION_NAME_BYTES)
        return length;
    length = MW_REGION_NAME_BYTES;
    while (length > 0 && ((unsigned char)utf8[length] & 0xC0) == 0x80)
        length--;
    return length;
}

static void write_name(uint32_t number, const char *utf8, size_t length)
{
    names.entries[number].length = (uint32_t)length;
    memcpy(names.entries[number].bytes, utf8, length);
}

static bool is_name(uint32_t number, const char *utf8, size_t length)
{
    const name_entry *entry = &names.entries[number];

    return entry->length == length && memcmp(entry->bytes, utf8, length) == 0;
}

mw_region_name mw_regions_name(const char *utf8, size_t length)
{
    uint64_t slot;

    length = fitting_length(utf8, length);
    slot = mw_hash_bytes(utf8, length) % NAME_SLOTS;
    while (names.slots[slot] != 0) {
        if (is_name(names.slots[slot], utf8, length))
            return (mw_region_name){names.slots[slot]};
        slot = (slot + 1) % NAME_SLOTS;
    }
    if (names.count == MW_REGION_NAME_MAXIMUM) {
        names.others++;
        return (mw_region_name){MW_REGION_OTHERS};
    }
    write_name(++names.count, utf8, length);
    names.slots[slot] = (uint16_t)names.count;
    return (mw_region_name){names.count};
}

const char *mw_regions_name_bytes(mw_region_name name, size_t *ret_length)
{
    *ret_length = names.entries[name.index].length;
    return names.entries[name.index].bytes;
}

mw_status mw_regions_instruction(mw_code_table *codes, mw_region_name name,
                                 mw_instruction *ret_instruction)
{
    const name_entry *entry = &names.entries[name.index];
    mw_code_row row = {0};
    mw_code code;
    mw_status status;

    status = mw_code_table_string(codes, MW_REGION_FILE, sizeof MW_REGION_FILE - 1, &row.file);
    if (status == MW_OK)
        status = mw_code_table_string(codes, entry->bytes, entry->length, &row.function);
    if (status == MW_OK)
        status = mw_code_table_intern(codes, row, &code);
    if (status == MW_OK)
        status = mw_code_table_instruction(codes, code, 0, ret_instruction);
    return status;
}

/* ── activations ─────────────────────────────────────────────────────────────────── */

enum { BUCKET_COUNT = 1 << 14 };

typedef struct activation {
    PyFrameObject *frame;       /* owned                                                    */
    const mw_region_uses *uses; /* of whose it is; NULL: free                               */
    uint32_t name;
    uint32_t next;    /* in its bucket, where those entered later come first; if free: the
                         next free one                                                       */
    uint32_t earlier; /* of the same region object                                          */
    bool is_foreign;  /* of a thread that a fork has not taken along                        */
    pthread_t thread; /* that entered it                                                    */
} activation;

/* Numbers begin at 1. */
static struct {
    activation *items;
    uint32_t count; /* used at some time */
    uint32_t capacity;
    uint32_t first_free;
    uint64_t refused;
    uint32_t buckets[BUCKET_COUNT]; /* by the frame's object */
} table;

static uint32_t *bucket_of(const PyFrameObject *frame)
{
    uintptr_t address = (uintptr_t)frame;

    return &table.buckets[(address >> 4 ^ address >> 17) % BUCKET_COUNT];
}

/* How many regions a frame has; their names are the last of [ret_regions], from the back. */
static uint32_t collect(const mw_py_frame *frame, mw_frame_regions *ret_regions)
{
    const PyFrameObject *object = mw_frames_object(frame);
    uint32_t left = MW_REGIONS_PER_FRAME;
    uint32_t number = object != NULL ? *bucket_of(object) : 0;

    for (; number != 0 && left > 0; number = table.items[number].next)
        if (table.items[number].frame == object)
            ret_regions->names[--left].index = table.items[number].name;
    return MW_REGIONS_PER_FRAME - left;
}

static void move_to_front(mw_frame_regions *regions)
{
    memmove(regions->names, regions->names + MW_REGIONS_PER_FRAME - regions->count,
            regions->count * sizeof *regions->names);
}

void mw_regions_of(const mw_py_frame *frame, mw_frame_regions *ret_regions)
{
    ret_regions->count = collect(frame, ret_regions);
    move_to_front(ret_regions);
}

void mw_regions_of_raw(const mw_py_frame *frame, mw_frame_regions *ret_regions)
{
    mw_spinlock_take(&lock);
    ret_regions->count = collect(frame, ret_regions);
    mw_spinlock_release(&lock);
    move_to_front(ret_regions);
}

/* ── entering ────────────────────────────────────────────────────────────────────── */

static uint32_t regions_in(const PyFrameObject *frame)
{
    uint32_t count = 0;

    for (uint32_t number = *bucket_of(frame); number != 0; number = table.items[number].next)
        count += table.items[number].frame == frame;
    return count;
}

/* A number for an activation, 0 where there is none. */
static uint32_t take_number(void)
{
    uint32_t number = table.first_free;

    if (number != 0) {
        table.first_free = table.items[number].next;
        return number;
    }
    /* Item 0 is there, and is none. */
    if (mw_alloc_grow(mw_alloc_pages(), &table.items, table.count + 1, &table.capacity,
                      sizeof *table.items, MW_REGION_ACTIVATION_MAXIMUM) != MW_OK)
        return 0;
    return ++table.count;
}

bool mw_regions_enter(mw_region_uses *uses, PyFrameObject *frame_take, mw_region_name name)
{
    uint32_t *bucket = bucket_of(frame_take);
    uint32_t number = 0;

    mw_spinlock_take(&lock);
    if (regions_in(frame_take) < MW_REGIONS_PER_FRAME)
        number = take_number();
    if (number != 0) {
        table.items[number] = (activation){.frame = frame_take,
                                           .uses = uses,
                                           .name = name.index,
                                           .next = *bucket,
                                           .earlier = uses->newest,
                                           .thread = pthread_self()};
        *bucket = number;
        uses->newest = number;
        atomic_fetch_add_explicit(&mw_the_region_count, 1, memory_order_relaxed);
    }
    table.refused += number == 0;
    mw_spinlock_release(&lock);
    if (number == 0)
        Py_DECREF(frame_take);
    return number != 0;
}

/* ── leaving ─────────────────────────────────────────────────────────────────────── */

/* The link to the latest of [uses] in [frame] (NULL: in any); it holds 0 if there is none. */
static uint32_t *link_to(mw_region_uses *uses, const PyFrameObject *frame)
{
    uint32_t *link = &uses->newest;

    while (*link != 0 && frame != NULL && table.items[*link].frame != frame)
        link = &table.items[*link].earlier;
    return link;
}

mw_py_frame *mw_regions_find(const mw_region_uses *uses, mw_py_frame *frame)
{
    for (; frame != NULL; frame = mw_frames_caller(frame)) {
        const PyFrameObject *object = mw_frames_object(frame);
        uint32_t number = object != NULL ? *bucket_of(object) : 0;

        for (; number != 0; number = table.items[number].next)
            if (table.items[number].frame == object && table.items[number].uses == uses)
                return frame;
    }
    return NULL;
}

static void take_from_bucket(uint32_t number)
{
    uint32_t *link = bucket_of(table.items[number].frame);

    while (*link != number)
        link = &table.items[*link].next;
    *link = table.items[number].next;
}

mw_left_region mw_regions_leave(mw_region_uses *uses, const mw_py_frame *frame)
{
    uint32_t *link = link_to(uses, frame != NULL ? mw_frames_object(frame) : NULL);
    uint32_t number = *link;
    mw_left_region left = {0};
    activation *item;

    if (number == 0)
        return left;
    item = &table.items[number];
    left.frame = item->frame;
    left.may_run = frame == NULL && !item->is_foreign && !mw_frames_has_ended(item->frame);
    mw_spinlock_take(&lock);
    take_from_bucket(number);
    *link = item->earlier;
    *item = (activation){.next = table.first_free};
    table.first_free = number;
    mw_spinlock_release(&lock);
    atomic_fetch_sub_explicit(&mw_the_region_count, 1, memory_order_relaxed);
    return left;
}

int mw_regions_traverse(const mw_region_uses *uses, visitproc visit, void *arg)
{
    for (uint32_t number = uses->newest; number != 0; number = table.items[number].earlier)
        Py_VISIT(table.items[number].frame);
    return 0;
}

mw_region_counts mw_regions_counts(void)
{
    return (mw_region_counts){.in_force = mw_the_region_count,
                              .names = names.count,
                              .others = names.others,
                              .refused = table.refused};
}

/* ── fork ────────────────────────────────────────────────────────────────────────── */

static void before_fork(void)
{
    mw_spinlock_take(&lock);
}

static void after_fork(void)
{
    mw_spinlock_release(&lock);
}

/* Frames of threads that are gone cannot be looked at any more: the memory they lie in is
 * not theirs. */
static void after_fork_in_child(void)
{
    for (uint32_t number = 1; number <= table.count; number++)
        if (table.items[number].uses != NULL)
            table.items[number].is_foreign |=
                !pthread_equal(table.items[number].thread, pthread_self());
    mw_spinlock_release(&lock);
}

int mw_regions_init(void)
{
    static bool is_done;

    if (is_done)
        return 0;
    write_name(MW_REGION_OTHERS, others, sizeof others - 1);
    is_done = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
    return is_done ? 0 : -1;
}
