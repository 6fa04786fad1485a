/* SPDX-License-Identifier: MIT
 *
 * An instruction is prefixes, an opcode of one or two bytes, for most a ModRM byte with
 * what follows from it (SIB byte, displacement), and for some an immediate operand.
 */
#include "native/x86_64_decode.h"

#include <string.h>

/* What follows an opcode. */
enum shape {
    UNKNOWN = 0,
    ALONE,
    RELATIVE_1, /* a displacement from the end, of one byte */
    RELATIVE_4,
    IMMEDIATE_4,
    MODRM,
    MODRM_1, /* and an immediate of one byte */
    MODRM_4,
};

static const uint8_t shapes[256] = {
    [0x01] = MODRM,
    [0x03] = MODRM,
    [0x09] = MODRM,
    [0x0b] = MODRM,
    [0x21] = MODRM,
    [0x23] = MODRM,
    [0x29] = MODRM,
    [0x2b] = MODRM,
    [0x31] = MODRM,
    [0x33] = MODRM,
    [0x38] = MODRM,
    [0x39] = MODRM,
    [0x3b] = MODRM,
    [0x63] = MODRM,
    [0x84] = MODRM,
    [0x85] = MODRM,
    [0x88] = MODRM,
    [0x89] = MODRM,
    [0x8b] = MODRM,
    [0x8d] = MODRM,
    [0x80] = MODRM_1,
    [0x83] = MODRM_1,
    [0xc1] = MODRM_1,
    [0xc6] = MODRM_1,
    [0x81] = MODRM_4,
    [0xc7] = MODRM_4,
    [0x90] = ALONE,
    [0xc3] = ALONE,
    [0xc9] = ALONE,
    [0xe8] = RELATIVE_4,
    [0xe9] = RELATIVE_4,
    [0xeb] = RELATIVE_1,
    [0x50 ... 0x5f] = ALONE,      /* push and pop of a register */
    [0x70 ... 0x7f] = RELATIVE_1, /* jumps on a condition       */
    [0xb8 ... 0xbf] = IMMEDIATE_4,
};

static const uint8_t shapes_0f[256] = {
    [0x1f] = MODRM,               /* nop                    */
    [0x40 ... 0x4f] = MODRM,      /* cmov                   */
    [0x80 ... 0x8f] = RELATIVE_4, /* jumps on a condition   */
    [0x90 ... 0x9f] = MODRM,      /* set                    */
    [0xb6 ... 0xb7] = MODRM,      /* movzx                  */
    [0xbe ... 0xbf] = MODRM,      /* movsx                  */
};

static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};

/* Where the decoding stands. */
typedef struct reading {
    const uint8_t *code;
    uint8_t at;
    bool is_16_bit;
    uint8_t rex; /* 0: none */
    bool is_two_bytes;
    uint8_t opcode;
} reading;

static int32_t read_number(const uint8_t *from, unsigned bytes)
{
    int32_t number;

    if (bytes == 1)
        return (int8_t)*from;
    memcpy(&number, from, sizeof number);
    return number;
}

static uint8_t take_opcode(reading *cursor)
{
    const uint8_t *code = cursor->code;

    while (code[cursor->at] == 0x66 && cursor->at < 4) {
        cursor->is_16_bit = true;
        cursor->at++;
    }
    if (code[cursor->at] == 0x2e) /* before a long nop */
        cursor->at++;
    if ((code[cursor->at] & 0xf0) == 0x40)
        cursor->rex = code[cursor->at++];
    cursor->is_two_bytes = code[cursor->at] == 0x0f;
    cursor->at += cursor->is_two_bytes;
    cursor->opcode = code[cursor->at++];
    return cursor->is_two_bytes ? shapes_0f[cursor->opcode] : shapes[cursor->opcode];
}

/* Notes that a displacement from the end of the instruction stands here. */
static void take_relative(reading *cursor, uint8_t bytes, mw_x86_instruction *instruction)
{
    instruction->relative_at = cursor->at;
    instruction->relative_bytes = bytes;
    instruction->displacement = read_number(cursor->code + cursor->at, bytes);
    cursor->at += bytes;
}

/* ModRM: mode (2 bits), register or extension of the opcode (3), register or base (3). */
static void take_modrm(reading *cursor, mw_x86_instruction *instruction)
{
    uint8_t modrm = cursor->code[cursor->at++];
    uint8_t mode = modrm >> 6;
    uint8_t base = modrm & 7;
    uint8_t bytes = mode == 1 ? 1 : mode == 2 ? 4 : 0;

    instruction->reg = (uint8_t)((modrm >> 3 & 7) | (cursor->rex & 4) << 1);
    if (mode == 3)
        return;
    if (mode == 0 && base == 5) {
        instruction->base = MW_X86_BASE_RIP;
        take_relative(cursor, 4, instruction);
        return;
    }
    instruction->base = (uint8_t)(base | (cursor->rex & 1) << 3);
    if (base == 4) {
        uint8_t sib = cursor->code[cursor->at++];
        bool has_index = (sib >> 3 & 7) != 4 || (cursor->rex & 2) != 0;

        if (mode == 0 && (sib & 7) == 5)
            bytes = 4;
        instruction->base = has_index || (mode == 0 && (sib & 7) == 5)
                                ? MW_X86_NO_BASE
                                : (uint8_t)((sib & 7) | (cursor->rex & 1) << 3);
    }
    if (bytes != 0)
        instruction->displacement = read_number(cursor->code + cursor->at, bytes);
    cursor->at += bytes;
}

static mw_x86_kind kind_of(const reading *cursor, const mw_x86_instruction *instruction)
{
    uint8_t opcode = cursor->opcode;

    if (cursor->is_two_bytes)
        return (opcode & 0xf0) == 0x80 ? MW_X86_JUMP_IF : MW_X86_PLAIN;
    if ((opcode & 0xf0) == 0x70)
        return MW_X86_JUMP_IF;
    if (opcode == 0xe9 || opcode == 0xeb)
        return MW_X86_JUMP;
    if (opcode == 0xe8)
        return MW_X86_CALL;
    if (opcode == 0xc3)
        return MW_X86_RETURN;
    if (opcode == 0x8b && instruction->base != MW_X86_NO_BASE)
        return MW_X86_LOAD;
    if (opcode == 0x83 && (instruction->reg & 7) == 7 && instruction->base != MW_X86_NO_BASE &&
        cursor->code[cursor->at - 1] == 0)
        return MW_X86_COMPARE;
    return MW_X86_PLAIN;
}

bool mw_x86_decode(const uint8_t *code, mw_x86_instruction *ret_instruction)
{
    mw_x86_instruction instruction = {.base = MW_X86_NO_BASE};
    reading cursor = {.code = code};
    uint8_t shape;

    if (memcmp(code, endbr64, sizeof endbr64) == 0) {
        *ret_instruction = (mw_x86_instruction){.length = 4, .base = MW_X86_NO_BASE};
        return true;
    }
    shape = take_opcode(&cursor);
    if (shape == UNKNOWN ||
        (cursor.is_16_bit && (shape == MODRM_4 || shape == IMMEDIATE_4 || shape == RELATIVE_4)) ||
        (shape == IMMEDIATE_4 && (cursor.rex & 8) != 0))
        return false;
    if (shape == MODRM || shape == MODRM_1 || shape == MODRM_4)
        take_modrm(&cursor, &instruction);
    if (shape == RELATIVE_1 || shape == RELATIVE_4)
        take_relative(&cursor, shape == RELATIVE_1 ? 1 : 4, &instruction);
    if (shape == MODRM_1)
        cursor.at += 1;
    if (shape == MODRM_4 || shape == IMMEDIATE_4)
        cursor.at += 4;
    instruction.length = cursor.at;
    instruction.operand_bytes = (cursor.rex & 8) != 0 ? 8 : 4;
    instruction.kind = kind_of(&cursor, &instruction);
    if (instruction.kind == MW_X86_JUMP_IF)
        instruction.condition = cursor.opcode & 15;
    if (instruction.relative_bytes != 0)
        instruction.target = code + instruction.length + instruction.displacement;
    *ret_instruction = instruction;
    return true;
}
