/* SPDX-License-Identifier: MIT
 *
 * Writes the captures that the fuzzer begins with, and that the second reader is compared
 * over: small ones with something of everything, as they are written and with nothing
 * compressed.
 *
 *     make_corpus DIRECTORY
 */
#include "capture_bytes.h"
#include "capture_model.h"

#include <stdio.h>

enum { CAPTURES = 12 };

/* One of a few looks, of which the last are kept in some. */
static series_model model_of(uint64_t seed)
{
    series_model model = series_random(seed);

    model.keep_ns = seed % 3 == 0 ? 20 * SECOND : 0;
    if (model.look_count > 5)
        model.look_count = 5;
    if (model.peak_before >= model.look_count)
        model.peak_before = LOOKS;
    return model;
}

int main(int argc, char **argv)
{
    for (uint64_t seed = 0; argc == 2 && seed < CAPTURES; seed++) {
        series_model model = model_of(seed);
        capture_bytes bytes, plain;
        char path[4096];
        mw_error error = {.text = ""};

        snprintf(path, sizeof path, "%s/series%02d.memwhy", argv[1], (int)seed);
        if (series_write(&model, path, mw_alloc_system(), &error) != MW_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        bytes = read_bytes(path);
        plain = plain_bytes(&bytes);
        if (seed % 2 == 0)
            write_bytes(path, plain.bytes, plain.length);
        free(bytes.bytes);
        free(plain.bytes);
    }
    return argc == 2 ? 0 : 2;
}
