/* SPDX-License-Identifier: MIT */
#include "native/detour.h"

#include "native/x86_64_decode.h"

#include <stddef.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)

enum {
    MOVED_AT = 16,    /* where in our page the moved instructions begin, behind the stub */
    STORE_BYTES = 16, /* what the processor stores at once, if aligned                  */
    PROBE_BYTES = 1 << 16,
    PROBES = 1 << 14, /* on each side: 1 GiB                                 */
};

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_near(const void *a, const void *b)
{
    ptrdiff_t distance = (const uint8_t *)a - (const uint8_t *)b;

    return distance > -(INT64_C(1) << 30) * 3 / 2 && distance < (INT64_C(1) << 30) * 3 / 2;
}

/* Maps a page near [function]; below it first, since above a program grows its heap. */
static uint8_t *map_near(uint8_t *function)
{
    uintptr_t start = (uintptr_t)function & ~(uintptr_t)(PROBE_BYTES - 1);

    for (intptr_t probe = 1; probe < 2 * (intptr_t)PROBES; probe++) {
        intptr_t step = probe < PROBES ? -probe : probe - PROBES;
        uintptr_t wanted = start + (uintptr_t)(step * PROBE_BYTES);
        void *page;

        if (step < 0 && wanted > start)
            continue;
        page = mmap((void *)wanted, page_bytes(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page == (void *)wanted)
            return page;
        /* Kernels before 4.17 take the address for a hint. */
        if (page != MAP_FAILED)
            munmap(page, page_bytes());
    }
    return NULL;
}

static void write_far_jump(uint8_t *at, const void *target)
{
    static const uint8_t through_next[6] = {0xff, 0x25, 0, 0, 0, 0};

    memcpy(at, through_next, sizeof through_next);
    memcpy(at + sizeof through_next, &target, sizeof target);
}

/* Moves one instruction; what it addresses stays where it is. */
static bool move_instruction(const uint8_t *from, uint8_t *to,
                             const mw_x86_instruction *instruction)
{
    ptrdiff_t displacement;
    int32_t number;

    /* Of what jumps, only a call says where to in four bytes. */
    if (instruction->kind == MW_X86_JUMP_IF || instruction->kind == MW_X86_JUMP ||
        instruction->kind == MW_X86_RETURN)
        return false;
    memcpy(to, from, instruction->length);
    if (instruction->relative_bytes == 0)
        return true;
    displacement = instruction->target - (to + instruction->length);
    number = (int32_t)displacement;
    memcpy(to + instruction->relative_at, &number, sizeof number);
    return number == displacement;
}

/* Moves the instructions that a jump would cover; returns their bytes, 0 if one cannot. */
static size_t move_beginning(const uint8_t *function, uint8_t *to)
{
    size_t moved = 0;

    while (moved < MW_DETOUR_JUMP_BYTES) {
        mw_x86_instruction instruction;

        if (!mw_x86_decode(function + moved, &instruction) ||
            !move_instruction(function + moved, to + moved, &instruction))
            return 0;
        moved += instruction.length;
    }
    write_far_jump(to + moved, function + moved);
    return moved;
}

/* jmp, relative, within 2 GiB. */
static void make_jump(uint8_t jump[MW_DETOUR_JUMP_BYTES], const uint8_t *from,
                      const uint8_t *target)
{
    int32_t displacement = (int32_t)(target - (from + MW_DETOUR_JUMP_BYTES));

    jump[0] = 0xe9;
    memcpy(jump + 1, &displacement, sizeof displacement);
}

/* Fills our page; returns NULL, or why it cannot be done. */
static const char *fill_page(uint8_t *page, const uint8_t *function, const void *replacement)
{
    size_t moved;

    write_far_jump(page, replacement);
    moved = move_beginning(function, page + MOVED_AT);
    if (moved == 0)
        return "the function begins with instructions that cannot be moved";
    if (mprotect(page, page_bytes(), PROT_READ | PROT_EXEC) != 0)
        return "the system does not let memory become executable";
    return NULL;
}

const char *mw_detour_make(mw_detour *detour, void *function, void *replacement)
{
    uint8_t *page;
    const char *reason;

    if (detour->function != NULL)
        return NULL;
    if ((uintptr_t)function % STORE_BYTES > STORE_BYTES - MW_DETOUR_JUMP_BYTES)
        return "the beginning of the function cannot be written at once";
    page = map_near(function);
    if (page == NULL)
        return "no memory near the function";
    reason = fill_page(page, function, replacement);
    if (reason != NULL) {
        munmap(page, page_bytes());
        return reason;
    }
    memcpy(detour->former, function, sizeof detour->former);
    make_jump(detour->jump, function, is_near(replacement, function) ? replacement : page);
    detour->original = page + MOVED_AT;
    detour->function = function;
    return NULL;
}

/* Stores sixteen bytes at once, if they still are as [seen]. */
static bool store_if_unchanged(uint64_t *at, uint64_t seen[2], const uint64_t wanted[2])
{
    bool is_stored;

    __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                     : "=q"(is_stored), "+m"(*(unsigned __int128 *)(void *)at), "+a"(seen[0]),
                       "+d"(seen[1])
                     : "b"(wanted[0]), "c"(wanted[1])
                     : "cc", "memory");
    return is_stored;
}

/* Replaces the beginning of the function, if it is [from]. */
static bool exchange(uint8_t *function, const uint8_t *from, const uint8_t *to)
{
    uintptr_t offset = (uintptr_t)function % STORE_BYTES;
    uint64_t *words = (uint64_t *)((uintptr_t)function - offset);
    uint64_t seen[2], wanted[2];

    memcpy(seen, words, sizeof seen);
    memcpy(wanted, seen, sizeof wanted);
    if (memcmp((uint8_t *)wanted + offset, from, MW_DETOUR_JUMP_BYTES) != 0)
        return false;
    memcpy((uint8_t *)wanted + offset, to, MW_DETOUR_JUMP_BYTES);
    return store_if_unchanged(words, seen, wanted);
}

/* Lets the text be written to, or not any more. */
static bool set_writable(uint8_t *function, bool is_writable)
{
    uintptr_t page = (uintptr_t)function & ~(uintptr_t)(page_bytes() - 1);
    int access = PROT_READ | PROT_EXEC | (is_writable ? PROT_WRITE : 0);

    return mprotect((void *)page, page_bytes(), access) == 0;
}

const char *mw_detour_arm(mw_detour *detour)
{
    if (detour->is_armed)
        return NULL;
    if (!set_writable(detour->function, true))
        return "the system does not let code be changed";
    detour->is_armed = exchange(detour->function, detour->former, detour->jump);
    (void)set_writable(detour->function, false);
    return detour->is_armed ? NULL : "somebody else has changed the function";
}

void mw_detour_disarm(mw_detour *detour)
{
    if (!detour->is_armed || !set_writable(detour->function, true))
        return;
    detour->is_armed = !exchange(detour->function, detour->jump, detour->former);
    (void)set_writable(detour->function, false);
}

#else

const char *mw_detour_make(mw_detour *detour, void *function, void *replacement)
{
    (void)detour, (void)function, (void)replacement;
    return "known for x86-64 alone";
}

const char *mw_detour_arm(mw_detour *detour)
{
    (void)detour;
    return "known for x86-64 alone";
}

void mw_detour_disarm(mw_detour *detour)
{
    (void)detour;
}

#endif
