/* SPDX-License-Identifier: MIT
 *
 * Golden files: what a writer is to write, read by eye before it was committed.
 * MEMWHY_GOLDEN=write writes what is to be read.
 */
#pragma once

#include "testing.h"

#include <stdio.h>

/* The golden files lie beside this file's directory, wherever the tests are started. */
static inline FILE *open_golden(const char *name, const char *mode)
{
    char path[1024];
    const char *end = strrchr(__FILE__, '/');

    snprintf(path, sizeof path, "%.*s/../golden/%s", (int)(end - __FILE__), __FILE__, name);
    return fopen(path, mode);
}

/* Checks that [length] bytes are those of the golden file, which may hold zero bytes. */
static inline void check_golden(const char *name, const char *bytes, size_t length)
{
    static char golden[1 << 18];
    bool writes = getenv("MEMWHY_GOLDEN") != NULL;
    FILE *file = open_golden(name, writes ? "w" : "r");
    size_t golden_length;

    if (file == NULL)
        fail_msg("there is no golden file %s", name);
    if (writes) {
        CHECK_EQ(fwrite(bytes, 1, length, file), length);
        fclose(file);
        return;
    }
    golden_length = fread(golden, 1, sizeof golden, file);
    fclose(file);
    for (size_t i = 0; i < length && i < golden_length; i++)
        if (bytes[i] != golden[i])
            fail_msg("%s differs from byte %zu on: \"%.60s\", not \"%.60s\"", name, i, bytes + i,
                     golden + i);
    CHECK_EQ(length, golden_length);
}
