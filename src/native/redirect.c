/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "native/redirect.h"

#include "native/page_access.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ── one object's read-only pages ────────────────────────────────────────────────── */

/* The pages that the dynamic linker makes read-only after relocation, opened at the first
 * slot in them that is to be written, and closed after the last. */
typedef struct relro {
    uintptr_t begin;
    uintptr_t end;
    enum {
        UNTOUCHED,
        OPENED,      /* by us, so to be closed by us                                   */
        WAS_OPEN,    /* another has left it so, or is loading this object just now     */
        STAYS_CLOSED /* the system refuses                                             */
    } state;
} relro;

static bool relro_has(const relro *pages, const void *address)
{
    return (uintptr_t)address >= pages->begin && (uintptr_t)address < pages->end;
}

static bool relro_protect(const relro *pages, int access)
{
    return mprotect((void *)pages->begin, pages->end - pages->begin, access) == 0;
}

/* If the pages are writable already, they are not ours to close: it would be under the
 * hands of a thread that is relocating this object.  It may close them itself at any
 * moment, so they are opened again right before each write. */
static bool relro_open(relro *pages)
{
    if (pages->state == UNTOUCHED && mw_page_is_writable(pages->begin))
        pages->state = WAS_OPEN;
    if (pages->state == UNTOUCHED)
        pages->state = relro_protect(pages, PROT_READ | PROT_WRITE) ? OPENED : STAYS_CLOSED;
    else if (pages->state == WAS_OPEN)
        (void)relro_protect(pages, PROT_READ | PROT_WRITE);
    return pages->state != STAYS_CLOSED;
}

static void relro_close(relro *pages)
{
    if (pages->state == OPENED)
        (void)relro_protect(pages, PROT_READ);
    pages->state = UNTOUCHED;
}

/* Other threads call through the slot meanwhile: each call finds the one or the other. */
static bool write_slot(relro *pages, void **address, void *value)
{
    if (relro_has(pages, address) && !relro_open(pages))
        return false;
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
    return true;
}

static void *read_slot(void **address)
{
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

/* ── walks ───────────────────────────────────────────────────────────────────────── */

/* One pass over the loaded objects. */
typedef struct walk {
    mw_redirect *redirect;
    void (*visit)(mw_redirect *redirect, const mw_elf_image *image, const char *file);
    bool only_if_added; /* stop unless an object has been loaded since the last walk  */
    bool only_if_applied;
    bool has_begun; /* the lock is ours; the next object is not the program */
    size_t page_bytes;
} walk;

/* Whether the walk is to go on. */
static bool begin_walk(walk *self, const struct dl_phdr_info *object, size_t object_bytes)
{
    mw_redirect *redirect = self->redirect;
    bool counts = object_bytes >= offsetof(struct dl_phdr_info, dlpi_subs);

    self->has_begun = true;
    mw_spinlock_take(&redirect->lock);
    if (self->only_if_applied && !redirect->is_applied)
        return false;
    if (self->only_if_added && counts && object->dlpi_adds == redirect->added)
        return false;
    if (self->only_if_added)
        redirect->foreign_count = redirect->refused_count = 0;
    redirect->added = counts ? object->dlpi_adds : 0;
    return true;
}

static int visit_object(struct dl_phdr_info *object, size_t object_bytes, void *argument)
{
    walk *self = argument;
    /* The program comes first; not every system leaves its name empty. */
    const char *file = self->has_begun && object->dlpi_name != NULL ? object->dlpi_name : "";
    mw_elf_image image;

    if (!self->has_begun && !begin_walk(self, object, object_bytes))
        return 1;
    if (mw_elf_image_open(&image, object->dlpi_addr, object->dlpi_phdr, object->dlpi_phnum,
                          self->page_bytes) == MW_OK)
        self->visit(self->redirect, &image, file);
    return 0;
}

/* Leaves the lock to the caller, if there was any object. */
static bool walk_objects(walk *self)
{
    self->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(visit_object, self);
    return self->has_begun;
}

static void end_walk(walk *self)
{
    if (self->has_begun)
        mw_spinlock_release(&self->redirect->lock);
}

/* ── finding the originals ───────────────────────────────────────────────────────── */

/* The first object that defines a name is the one that the dynamic linker takes.  Only the
 * program itself may have a stub in its place. */
static void find_originals(mw_redirect *redirect, const mw_elf_image *image, const char *file)
{
    for (uint32_t i = 0; i < redirect->target_count; i++) {
        mw_redirect_target *target = &redirect->targets[i];
        mw_elf_symbol symbol;

        if (target->original != NULL || !mw_elf_image_find(image, target->name, &symbol))
            continue;
        if (symbol.is_defined)
            target->original = symbol.address;
        else if (file[0] == '\0')
            target->stub = symbol.address;
    }
}

/* ── taking slots ────────────────────────────────────────────────────────────────── */

static mw_redirect_target *target_named(mw_redirect *redirect, const char *name)
{
    for (uint32_t i = 0; i < redirect->target_count; i++)
        if (strcmp(redirect->targets[i].name, name) == 0)
            return &redirect->targets[i];
    return NULL;
}

/* Whether the dynamic linker put [value] there, for the function that all others get. */
static bool is_linkers(const mw_elf_image *image, const mw_redirect_target *target,
                       const mw_elf_slot *slot, const void *value)
{
    mw_elf_symbol own;

    if (value == target->original || (target->stub != NULL && value == target->stub))
        return true;
    if (!slot->is_of_call || !mw_elf_image_has(image, (uintptr_t)value, 1, PF_X))
        return false;
    return !mw_elf_image_find(image, target->name, &own) || own.address != value;
}

/* The record of a slot; one of an object that is gone may have had the same address. */
static mw_redirect_slot *record_of(mw_redirect *redirect, void **address)
{
    mw_redirect_slot *record;

    for (uint32_t i = 0; i < redirect->slot_count; i++)
        if (redirect->slots[i].address == address)
            return &redirect->slots[i];
    if (mw_alloc_grow(redirect->alloc, &redirect->slots, redirect->slot_count,
                      &redirect->slot_capacity, sizeof *redirect->slots,
                      MW_REDIRECT_SLOT_MAXIMUM) != MW_OK)
        return NULL;
    record = &redirect->slots[redirect->slot_count++];
    *record = (mw_redirect_slot){.address = address};
    return record;
}

static void take_slot(mw_redirect *redirect, const mw_elf_image *image, relro *pages,
                      const mw_redirect_target *target, const mw_elf_slot *slot)
{
    void *value = read_slot(slot->address);
    mw_redirect_slot *record;

    if (value == target->replacement)
        return;
    if (!is_linkers(image, target, slot, value)) {
        redirect->foreign_count++;
        return;
    }
    record = record_of(redirect, slot->address);
    if (record == NULL) {
        redirect->refused_count++;
        return;
    }
    record->found = value;
    record->target = (uint32_t)(target - redirect->targets);
    if (write_slot(pages, slot->address, target->replacement))
        return;
    redirect->refused_count++;
    *record = redirect->slots[--redirect->slot_count];
}

static bool is_our_own(const mw_redirect *redirect, const mw_elf_image *image)
{
    for (uint32_t i = 0; i < redirect->target_count; i++)
        if (mw_elf_image_has(image, (uintptr_t)redirect->targets[i].replacement, 1, PF_X))
            return true;
    return false;
}

static void take_slots(mw_redirect *redirect, const mw_elf_image *image, const char *file)
{
    relro pages = {image->relro_begin, image->relro_end, UNTOUCHED};

    if (is_our_own(redirect, image))
        return;
    for (unsigned int table = 0; table < MW_ELF_RELOCATION_TABLES; table++)
        for (size_t row = 0; row < image->relocations[table].count; row++) {
            const mw_redirect_target *target;
            mw_elf_slot slot;

            if (!mw_elf_image_slot(image, table, row, &slot))
                continue;
            target = target_named(redirect, slot.name);
            if (target != NULL && target->original != NULL &&
                (target->is_wanted == NULL || target->is_wanted(image, file)))
                take_slot(redirect, image, &pages, target, &slot);
        }
    relro_close(&pages);
}

/* ── giving slots back ───────────────────────────────────────────────────────────── */

static void give_slots_back(mw_redirect *redirect, const mw_elf_image *image, const char *file)
{
    relro pages = {image->relro_begin, image->relro_end, UNTOUCHED};

    (void)file;
    for (uint32_t i = 0; i < redirect->slot_count; i++) {
        const mw_redirect_slot *record = &redirect->slots[i];

        if (mw_elf_image_has(image, (uintptr_t)record->address, sizeof(void *), PF_R | PF_W) &&
            read_slot(record->address) == redirect->targets[record->target].replacement)
            (void)write_slot(&pages, record->address, record->found);
    }
    relro_close(&pages);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

void mw_redirect_init(mw_redirect *redirect, mw_alloc *alloc, mw_redirect_target *targets,
                      uint32_t target_count)
{
    walk find = {.redirect = redirect, .visit = find_originals};

    *redirect = (mw_redirect){
        .alloc = alloc,
        .targets = targets,
        .target_count = target_count,
        .lock = MW_SPINLOCK_FREE,
    };
    walk_objects(&find);
    end_walk(&find);
}

void mw_redirect_done(mw_redirect *redirect)
{
    if (redirect->alloc == NULL)
        return;
    mw_redirect_undo(redirect);
    mw_alloc_release(redirect->alloc, redirect->slots,
                     redirect->slot_capacity * sizeof *redirect->slots);
    *redirect = (mw_redirect){0};
}

void mw_redirect_apply(mw_redirect *redirect)
{
    walk find = {.redirect = redirect, .visit = find_originals};
    walk take = {.redirect = redirect, .visit = take_slots};

    if (walk_objects(&find)) {
        redirect->is_applied = true;
        redirect->foreign_count = redirect->refused_count = 0;
    }
    end_walk(&find);
    take.only_if_applied = true;
    walk_objects(&take);
    end_walk(&take);
}

void mw_redirect_refresh(mw_redirect *redirect)
{
    walk take = {
        .redirect = redirect, .visit = take_slots, .only_if_added = true, .only_if_applied = true};

    walk_objects(&take);
    end_walk(&take);
}

void mw_redirect_undo(mw_redirect *redirect)
{
    walk give = {.redirect = redirect, .visit = give_slots_back, .only_if_applied = true};

    if (walk_objects(&give)) {
        redirect->is_applied = false;
        redirect->slot_count = 0;
    }
    end_walk(&give);
}

uint32_t mw_redirect_count(mw_redirect *redirect, uint32_t target)
{
    uint32_t count = 0;

    mw_spinlock_take(&redirect->lock);
    for (uint32_t i = 0; i < redirect->slot_count; i++)
        count += redirect->slots[i].target == target;
    mw_spinlock_release(&redirect->lock);
    return count;
}

void mw_redirect_before_fork(mw_redirect *redirect)
{
    mw_spinlock_take(&redirect->lock);
}

void mw_redirect_after_fork(mw_redirect *redirect)
{
    mw_spinlock_release(&redirect->lock);
}
