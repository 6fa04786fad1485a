/* SPDX-License-Identifier: MIT
 *
 * Machine code of x86-64, one instruction at a time: how long it is, and where it reads,
 * jumps and calls.  Knows what compilers put at the beginning of functions and around a
 * test of a flag; refuses everything else, so that no one acts on a guess.
 *
 * Pure: any byte string can be decoded, on any machine.  At most
 * MW_X86_LONGEST_INSTRUCTION bytes are read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    MW_X86_LONGEST_INSTRUCTION = 15,
    MW_X86_NO_BASE = 0xff,  /* no memory operand, or one with an index        */
    MW_X86_BASE_RIP = 0xfe, /* relative to the next instruction; see `target` */
    MW_X86_REGISTERS = 16,
};

typedef enum mw_x86_kind {
    MW_X86_PLAIN,   /* goes on with the next instruction                         */
    MW_X86_LOAD,    /* mov memory → `reg`                                        */
    MW_X86_COMPARE, /* cmp memory with 0                                         */
    MW_X86_JUMP_IF, /* to `target` on `condition`                                */
    MW_X86_JUMP,
    MW_X86_CALL,
    MW_X86_RETURN,
} mw_x86_kind;

enum { MW_X86_IF_ZERO = 4, MW_X86_IF_NOT_ZERO = 5 }; /* some of the 16 conditions */

typedef struct mw_x86_instruction {
    mw_x86_kind kind;
    uint8_t length;         /* 1 … 15                                                      */
    uint8_t condition;      /* of a MW_X86_JUMP_IF, 0 … 15                                 */
    uint8_t reg;            /* of a MW_X86_LOAD, 0 … 15                                    */
    uint8_t base;           /* of the memory operand: a register, or one of the above      */
    uint8_t operand_bytes;  /* 4 or 8                                                      */
    uint8_t relative_at;    /* where in it a displacement stands that counts from its end  */
    uint8_t relative_bytes; /* 1 or 4; 0: there is none                                    */
    int32_t displacement;   /* of the memory operand                                       */
    const uint8_t *target;  /* of a jump, a call or an operand relative to RIP; else NULL  */
} mw_x86_instruction;

/* Returns false if the instruction is none of the known ones. */
bool mw_x86_decode(const uint8_t *code, mw_x86_instruction *ret_instruction);
