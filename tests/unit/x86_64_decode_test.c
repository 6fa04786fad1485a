/* SPDX-License-Identifier: MIT
 *
 * The instructions are from the interpreters that we run on, and their lengths from a
 * disassembler.
 */
#include "native/x86_64_decode.h"

#include "testing.h"

/* Padded, since the decoder may look at 15 bytes. */
typedef struct sample {
    const char *bytes;
    uint8_t length;
    mw_x86_kind kind;
} sample;

static const sample samples[] = {
    {"\xf3\x0f\x1e\xfa", 4, MW_X86_PLAIN},               /* endbr64                    */
    {"\x55", 1, MW_X86_PLAIN},                           /* push %rbp                  */
    {"\x41\x56", 2, MW_X86_PLAIN},                       /* push %r14                  */
    {"\x48\x83\xec\x08", 4, MW_X86_PLAIN},               /* sub $8,%rsp                */
    {"\x48\x81\xec\x88\x01\x00\x00", 7, MW_X86_PLAIN},   /* sub $0x188,%rsp            */
    {"\x48\x89\xfb", 3, MW_X86_PLAIN},                   /* mov %rdi,%rbx              */
    {"\x48\x89\x7c\x24\x08", 5, MW_X86_PLAIN},           /* mov %rdi,8(%rsp)           */
    {"\x48\x8b\x05\x41\xbd\x16\x00", 7, MW_X86_LOAD},    /* mov 0x16bd41(%rip),%rax    */
    {"\x8b\x85\xd4\x0a\x00\x00", 6, MW_X86_LOAD},        /* mov 0xad4(%rbp),%eax       */
    {"\x8b\x40\x04", 3, MW_X86_LOAD},                    /* mov 4(%rax),%eax           */
    {"\x85\xc0", 2, MW_X86_PLAIN},                       /* test %eax,%eax             */
    {"\x83\x3d\x8b\x7f\x58\x00\x00", 7, MW_X86_COMPARE}, /* cmpl $0,0x587f8b(%rip)     */
    {"\x83\x3d\x8b\x7f\x58\x00\x01", 7, MW_X86_PLAIN},   /* cmpl $1,…: not with 0      */
    {"\x48\xc7\x07\x01\x00\x00\x00", 7, MW_X86_PLAIN},   /* movq $1,(%rdi)             */
    {"\xbb\xfe\xff\xff\xff", 5, MW_X86_PLAIN},           /* mov $-2,%ebx               */
    {"\x0f\xb6\xd2", 3, MW_X86_PLAIN},                   /* movzbl %dl,%edx            */
    {"\x48\x0f\x45\xd8", 4, MW_X86_PLAIN},               /* cmovne %rax,%rbx           */
    {"\x66\x0f\x1f\x44\x00\x00", 6, MW_X86_PLAIN},       /* nopw 0(%rax,%rax,1)        */
    {"\x74\x69", 2, MW_X86_JUMP_IF},                     /* je                         */
    {"\x0f\x84\x8d\x00\x00\x00", 6, MW_X86_JUMP_IF},     /* je, far                    */
    {"\xeb\xf2", 2, MW_X86_JUMP},                        /* jmp                        */
    {"\xe9\x00\x01\x00\x00", 5, MW_X86_JUMP},            /* jmp, far                   */
    {"\xe8\x9a\x2a\xe2\xff", 5, MW_X86_CALL},            /* call                       */
    {"\xc3", 1, MW_X86_RETURN},                          /* ret                        */
};

static void pad(const char *bytes, size_t length, uint8_t ret_padded[MW_X86_LONGEST_INSTRUCTION])
{
    memset(ret_padded, 0xcc, MW_X86_LONGEST_INSTRUCTION);
    memcpy(ret_padded, bytes, length);
}

TEST(x86_64_decode, tells_length_and_kind)
{
    for (size_t index = 0; index < sizeof samples / sizeof *samples; index++) {
        uint8_t code[MW_X86_LONGEST_INSTRUCTION];
        mw_x86_instruction instruction;

        pad(samples[index].bytes, samples[index].length, code);
        CHECK(mw_x86_decode(code, &instruction));
        CHECK_EQ(instruction.length, samples[index].length);
        CHECK_EQ(instruction.kind, samples[index].kind);
    }
}

TEST(x86_64_decode, tells_where_an_instruction_reads)
{
    uint8_t code[MW_X86_LONGEST_INSTRUCTION];
    mw_x86_instruction instruction;

    pad("\x48\x8b\x2d\x33\x15\x25\x00", 7, code); /* mov 0x251533(%rip),%rbp */
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.base, MW_X86_BASE_RIP);
    CHECK_EQ(instruction.reg, 5);
    CHECK_EQ(instruction.operand_bytes, 8);
    CHECK_EQ(instruction.relative_at, 3);
    CHECK_EQ((uintptr_t)instruction.target, (uintptr_t)code + 7 + 0x251533);

    pad("\x45\x8b\x4f\xf8", 4, code); /* mov -8(%r15),%r9d */
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.base, 15);
    CHECK_EQ(instruction.reg, 9);
    CHECK_EQ(instruction.operand_bytes, 4);
    CHECK_EQ(instruction.displacement, -8);
    CHECK_EQ(instruction.relative_bytes, 0);

    pad("\x41\x8b\x84\x24\xd4\x0a\x00\x00", 8, code); /* mov 0xad4(%r12),%eax */
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.length, 8);
    CHECK_EQ(instruction.base, 12);
    CHECK_EQ(instruction.displacement, 0xad4);

    pad("\x8b\x44\x8b\x10", 4, code); /* mov 0x10(%rbx,%rcx,4),%eax */
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.length, 4);
    CHECK_EQ(instruction.base, MW_X86_NO_BASE);
}

TEST(x86_64_decode, counts_an_immediate_after_a_relative_operand)
{
    uint8_t code[MW_X86_LONGEST_INSTRUCTION];
    mw_x86_instruction instruction;

    pad("\x83\x3d\x10\x00\x00\x00\x00", 7, code); /* cmpl $0,0x10(%rip) */
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.relative_at, 2);
    CHECK_EQ((uintptr_t)instruction.target, (uintptr_t)code + 7 + 0x10);
}

TEST(x86_64_decode, tells_where_a_jump_goes)
{
    uint8_t code[MW_X86_LONGEST_INSTRUCTION];
    mw_x86_instruction instruction;

    pad("\x75\xf0", 2, code);
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.condition, MW_X86_IF_NOT_ZERO);
    CHECK_EQ((uintptr_t)instruction.target, (uintptr_t)code + 2 - 16);
    pad("\x0f\x84\x00\x01\x00\x00", 6, code);
    CHECK(mw_x86_decode(code, &instruction));
    CHECK_EQ(instruction.condition, MW_X86_IF_ZERO);
    CHECK_EQ((uintptr_t)instruction.target, (uintptr_t)code + 6 + 256);
}

TEST(x86_64_decode, refuses_what_it_does_not_know)
{
    static const char *const unknown[] = {
        "\xcc",                                     /* int3                               */
        "\x0f\x05",                                 /* syscall                            */
        "\xf2\x0f\x10\x07",                         /* movsd (%rdi),%xmm0                 */
        "\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", /* movabs: an immediate of eight bytes */
        "\x66\xc7\x07\x01\x00",                     /* movw $1,(%rdi): of two             */
        "\xc5\xf8\x77",                             /* vzeroupper                         */
    };

    for (size_t index = 0; index < sizeof unknown / sizeof *unknown; index++) {
        uint8_t code[MW_X86_LONGEST_INSTRUCTION];
        mw_x86_instruction instruction;

        pad(unknown[index], 4, code);
        CHECK(!mw_x86_decode(code, &instruction));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(x86_64_decode, tells_length_and_kind),
        CASE(x86_64_decode, tells_where_an_instruction_reads),
        CASE(x86_64_decode, counts_an_immediate_after_a_relative_operand),
        CASE(x86_64_decode, tells_where_a_jump_goes),
        CASE(x86_64_decode, refuses_what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
