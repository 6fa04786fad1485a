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
#include "heap_model.h"

#include <stdio.h>

enum { CAPTURES = 12, HEAPS = 8 };

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

/* Rewrites every other one with nothing compressed. */
static void make_plain(const char *path, uint64_t seed)
{
    capture_bytes bytes = read_bytes(path), plain = plain_bytes(&bytes);

    if (seed % 2 == 0)
        write_bytes(path, plain.bytes, plain.length);
    free(bytes.bytes);
    free(plain.bytes);
}

static mw_status write_record(void *context, mw_record_type type, const mw_bytes *payload)
{
    return mw_capture_writer_heap(context, type, payload, NULL);
}

/* A capture with a heap, and a second one that was not finished. */
static mw_status write_heap(const char *path, uint64_t seed, mw_error *reterr)
{
    const heap_model model = heap_model_random(seed);
    const mw_program program = series_program();
    const mw_capture_options options = {0};
    mw_capture_writer *writer = NULL;
    mw_bytes begun;
    mw_status status =
        mw_capture_writer_new(path, &program, &options, mw_alloc_system(), &writer, reterr);

    if (status == MW_OK)
        status = heap_model_write(&model, write_record, writer, mw_alloc_system());
    mw_bytes_init(&begun, mw_alloc_system());
    mw_bytes_put(&begun, "\1\0\0\0\0\0\0\0\0", 9);
    if (status == MW_OK && seed % 3 == 0)
        status = mw_capture_writer_heap(writer, MW_RECORD_HEAP_NODES, &begun, reterr);
    mw_bytes_done(&begun);
    if (status == MW_OK)
        status = mw_capture_writer_finish(writer, 0, reterr);
    mw_capture_writer_free(writer);
    return status;
}

int main(int argc, char **argv)
{
    mw_status status = argc == 2 ? MW_OK : MW_BAD_INPUT;
    mw_error error = {.text = "make_corpus wants a directory"};
    char path[4096];

    for (uint64_t seed = 0; status == MW_OK && seed < CAPTURES; seed++) {
        series_model model = model_of(seed);

        snprintf(path, sizeof path, "%s/series%02d.memwhy", argv[1], (int)seed);
        status = series_write(&model, path, mw_alloc_system(), &error);
        if (status == MW_OK)
            make_plain(path, seed);
    }
    for (uint64_t seed = 0; status == MW_OK && seed < HEAPS; seed++) {
        snprintf(path, sizeof path, "%s/heap%02d.memwhy", argv[1], (int)seed);
        status = write_heap(path, seed, &error);
        if (status == MW_OK)
            make_plain(path, seed);
    }
    if (status != MW_OK)
        fprintf(stderr, "%s\n", error.text);
    return status == MW_OK ? 0 : argc == 2 ? 1 : 2;
}
