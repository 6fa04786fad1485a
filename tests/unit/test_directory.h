/* SPDX-License-Identifier: MIT
 *
 * A directory of a test program's own, made before its tests and removed after them, with
 * all that is in it.
 */
#pragma once

#include "testing.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static char directory[] = "/tmp/memwhy-test-XXXXXX";

static inline int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static inline int remove_directory(void **state)
{
    char command[PATH_MAX];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}
