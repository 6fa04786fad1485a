/* SPDX-License-Identifier: MIT */
#include "pyext/tested_flag.h"

#if MW_HAS_STANDARD_TRACER

#include "native/x86_64_decode.h"

#include <dlfcn.h>

enum { STEPS = 40 }; /* instructions from the entry of a function to its call, at most */

/* Where following the code stands. */
typedef struct code_walk {
    const uint8_t *code;
    uintptr_t registers[MW_X86_REGISTERS]; /* addresses loaded from the GOT; 0: not known */
    uintptr_t operand;                     /* of the last load or comparison of four bytes */
    mw_tested_flag found;
} code_walk;

/* The address that a memory operand names; 0: not known. */
static uintptr_t address_of(const code_walk *walk, const mw_x86_instruction *instruction)
{
    if (instruction->base == MW_X86_BASE_RIP)
        return (uintptr_t)instruction->target;
    if (instruction->base == MW_X86_NO_BASE || walk->registers[instruction->base] == 0)
        return 0;
    return walk->registers[instruction->base] + (uintptr_t)(intptr_t)instruction->displacement;
}

static void note_load(code_walk *walk, const mw_x86_instruction *instruction)
{
    uintptr_t address = address_of(walk, instruction);
    bool is_entry_of_table = instruction->base == MW_X86_BASE_RIP &&
                             instruction->operand_bytes == sizeof(uintptr_t) &&
                             address % sizeof(uintptr_t) == 0;

    walk->registers[instruction->reg] = is_entry_of_table ? *(const uintptr_t *)address : 0;
    if (instruction->operand_bytes == sizeof(int) && address != 0)
        walk->operand = address;
}

/* Goes the way that is gone when what was compared is not zero. */
static bool take_branch(code_walk *walk, const mw_x86_instruction *instruction)
{
    const uint8_t *next = walk->code + instruction->length;

    if (walk->operand == 0 || walk->operand % sizeof(int) != 0 || walk->found.flag != NULL)
        return false;
    walk->found.flag = (int *)walk->operand;
    walk->code = instruction->condition == MW_X86_IF_ZERO ? next : instruction->target;
    return instruction->condition == MW_X86_IF_ZERO || instruction->condition == MW_X86_IF_NOT_ZERO;
}

/* Goes one instruction on; returns false where the code cannot be followed. */
static bool step(code_walk *walk)
{
    mw_x86_instruction instruction;

    if (!mw_x86_decode(walk->code, &instruction))
        return false;
    switch (instruction.kind) {
    case MW_X86_JUMP_IF:
        return take_branch(walk, &instruction);
    case MW_X86_RETURN:
        return false;
    case MW_X86_CALL:
        /* Before the test, the test is in a function of its own. */
        if (walk->found.flag != NULL)
            walk->found.callee = (void *)instruction.target;
        walk->code = instruction.target;
        return true;
    case MW_X86_JUMP:
        walk->code = instruction.target;
        return true;
    case MW_X86_LOAD:
        note_load(walk, &instruction);
        break;
    case MW_X86_COMPARE:
        walk->operand = address_of(walk, &instruction);
        break;
    case MW_X86_PLAIN:
        break;
    }
    walk->code += instruction.length;
    return true;
}

/* What a called function may have changed. */
static void forget_registers(code_walk *walk)
{
    for (int index = 0; index < MW_X86_REGISTERS; index++)
        walk->registers[index] = 0;
}

bool mw_tested_flag_is_read(void *code, const int *flag)
{
    code_walk walk = {.code = code};

    for (int count = 0; count < STEPS; count++) {
        mw_x86_instruction instruction;

        if (!mw_x86_decode(walk.code, &instruction) || instruction.kind == MW_X86_RETURN ||
            instruction.kind == MW_X86_JUMP)
            return false;
        if (instruction.kind == MW_X86_LOAD)
            note_load(&walk, &instruction);
        if (instruction.kind == MW_X86_COMPARE)
            walk.operand = address_of(&walk, &instruction);
        if (walk.operand == (uintptr_t)flag)
            return true;
        if (instruction.kind == MW_X86_CALL)
            forget_registers(&walk);
        walk.code += instruction.length;
    }
    return false;
}

static bool find_callee(void *code, mw_tested_flag *ret_tested)
{
    code_walk walk = {.code = code};

    for (int count = 0; count < STEPS && walk.found.callee == NULL; count++) {
        if (!step(&walk))
            return false;
    }
    *ret_tested = walk.found;
    return walk.found.callee != NULL;
}

static const void *object_of(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* Whether the flag stands where `tracing` does: in a struct of which 3.11 exports the symbol
 * and which 3.12 keeps in _PyRuntime, behind `initialized`, before `max_nframe`. */
static bool is_flag_of_tracemalloc(const int *flag)
{
    const int *config = dlsym(RTLD_DEFAULT, "_Py_tracemalloc_config");
    const int *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    bool is_in_place = config != NULL ? flag == config + 1
                                      : runtime != NULL && object_of(flag) == object_of(runtime);

    return is_in_place && flag[-1] == 1 && (flag[0] == 0 || flag[0] == 1) && flag[1] >= 1 &&
           flag[1] <= UINT16_MAX;
}

const char *mw_tested_flag_of_new_reference(mw_tested_flag *ret_tested)
{
    void *caller = dlsym(RTLD_DEFAULT, "_Py_NewReference");

    if (caller == NULL || !find_callee(caller, ret_tested))
        return "the code of _Py_NewReference is not as expected";
    if (object_of(ret_tested->callee) != object_of(caller))
        return "what _Py_NewReference calls is not in the same library";
    if (!mw_tested_flag_is_read(ret_tested->callee, ret_tested->flag))
        return "_PyTraceMalloc_NewReference does not read the flag that its caller tests";
    if (!is_flag_of_tracemalloc(ret_tested->flag))
        return "what _Py_NewReference tests is not tracemalloc's flag";
    return NULL;
}

#endif
