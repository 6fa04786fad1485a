/* SPDX-License-Identifier: MIT */
#include "pyext/thread_state.h"

#if MW_READS_THREAD_STATE

#include <string.h>

intptr_t mw_thread_state_offset;

/* endbr64, which a function may begin with. */
static const unsigned char landing_pad[] = {0xf3, 0x0f, 0x1e, 0xfa};
/* mov %fs:offset, %rax, before its four bytes of offset; and ret behind them. */
static const unsigned char load[] = {0x64, 0x48, 0x8b, 0x04, 0x25};
static const unsigned char ret = 0xc3;

/* The offset that a function of that load alone reads at, or 0. */
static intptr_t offset_in(const unsigned char *code)
{
    int32_t offset;

    if (memcmp(code, landing_pad, sizeof landing_pad) == 0)
        code += sizeof landing_pad;
    if (memcmp(code, load, sizeof load) != 0 || code[sizeof load + sizeof offset] != ret)
        return 0;
    memcpy(&offset, code + sizeof load, sizeof offset);
    return offset;
}

void mw_thread_state_init(void)
{
    const unsigned char *code = (const unsigned char *)(uintptr_t)py_thread_state_function();
    intptr_t offset = offset_in(code);

    if (offset != 0 && mw_thread_state_read(offset) == py_thread_state_function()())
        mw_thread_state_offset = offset;
}

#endif
