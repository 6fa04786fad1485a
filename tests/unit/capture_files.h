/* SPDX-License-Identifier: MIT
 *
 * The file that a test of captures writes and reads, in a directory of its own.
 */
#pragma once

#include "capture_model.h"

#include <stdio.h>
#include <unistd.h>

static char directory[] = "/tmp/memwhy-capture-XXXXXX";
static char capture_path[sizeof directory + 32];

static inline int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(capture_path, sizeof capture_path, "%s/x.memwhy", directory);
    return 0;
}

static inline int remove_directory(void **state)
{
    (void)state;
    unlink(capture_path);
    return rmdir(directory);
}

static inline mw_capture *open_capture(void)
{
    mw_capture *capture = NULL;
    mw_error error = {.text = ""};

    if (mw_capture_open(capture_path, mw_alloc_system(), &capture, &error) != MW_OK)
        fail_msg("%s", error.text);
    return capture;
}

static inline void write_series(const series_model *model)
{
    mw_error error = {.text = ""};

    unlink(capture_path);
    if (series_write(model, capture_path, mw_alloc_system(), &error) != MW_OK)
        fail_msg("%s", error.text);
}

/* A series with something of everything. */
static inline series_model full_series(void)
{
    series_model model = {0};

    for (uint64_t seed = 0; model.look_count < 3 || model.peak_before > 2 || !model.has_totals ||
                            !model.has_child || !model.is_finished;
         seed++)
        model = series_random(seed);
    model.look_count = 3;
    return model;
}
