/* SPDX-License-Identifier: MIT
 *
 * A capture as bytes that a test has its way with: read, torn, mutated behind its checksums
 * and written again.
 */
#pragma once

#include "capture/capture_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

typedef struct capture_bytes {
    uint8_t *bytes; /* malloc's */
    size_t length;
} capture_bytes;

static inline uint32_t u32_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline void put_u32_at(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

/* Makes both checks of the record at [record] fit; its payload has [stored] bytes. */
static inline void fix_record(uint8_t *record, uint32_t stored)
{
    uint32_t check = (uint32_t)crc32(0, record + 6, 10);

    record[4] = (uint8_t)check;
    record[5] = (uint8_t)(check >> 8);
    put_u32_at(record, (uint32_t)crc32(0, record + 4, 12 + stored));
}

/* The same for all records, as far as their lengths lead. */
static inline void fix_records(uint8_t *bytes, size_t length)
{
    size_t at = MW_CAPTURE_HEADER_BYTES;

    if (length < MW_CAPTURE_HEADER_BYTES)
        return;
    put_u32_at(bytes + 12, (uint32_t)crc32(0, bytes, 12));
    while (length - at >= MW_RECORD_HEADER_BYTES) {
        uint32_t stored = u32_at(bytes + at + 8);

        if (stored > length - at - MW_RECORD_HEADER_BYTES)
            return;
        /* Of what is not compressed both lengths are one. */
        if ((bytes[at + 7] & MW_RECORD_COMPRESSED) == 0)
            put_u32_at(bytes + at + 12, stored);
        fix_record(bytes + at, stored);
        at += MW_RECORD_HEADER_BYTES + stored;
    }
}

static inline capture_bytes read_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    capture_bytes result = {0};

    if (file == NULL)
        abort();
    fseek(file, 0, SEEK_END);
    result.length = (size_t)ftell(file);
    rewind(file);
    result.bytes = malloc(result.length + 1);
    if (result.bytes == NULL || fread(result.bytes, 1, result.length, file) != result.length)
        abort();
    fclose(file);
    return result;
}

static inline void write_bytes(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file;

    /* Some file systems write a file that is replaced to the disk at once. */
    unlink(path);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        abort();
}

/* The same capture with nothing compressed, so that what is mutated is what is meant. */
static inline capture_bytes plain_bytes(const capture_bytes *from)
{
    capture_bytes result = {0};
    size_t at = MW_CAPTURE_HEADER_BYTES, capacity = from->length + 1;

    for (size_t i = at; i < from->length; i += MW_RECORD_HEADER_BYTES + u32_at(from->bytes + i + 8))
        capacity += MW_RECORD_HEADER_BYTES + u32_at(from->bytes + i + 12);
    result.bytes = malloc(capacity);
    if (result.bytes == NULL)
        abort();
    memcpy(result.bytes, from->bytes, at);
    result.length = at;
    while (at < from->length) {
        const uint8_t *record = from->bytes + at;
        uint8_t *copy = result.bytes + result.length;
        uint32_t stored = u32_at(record + 8), length = u32_at(record + 12);

        memcpy(copy, record, MW_RECORD_HEADER_BYTES);
        if ((record[7] & MW_RECORD_COMPRESSED) != 0)
            ZSTD_decompress(copy + MW_RECORD_HEADER_BYTES, length, record + MW_RECORD_HEADER_BYTES,
                            stored);
        else
            memcpy(copy + MW_RECORD_HEADER_BYTES, record + MW_RECORD_HEADER_BYTES, stored);
        copy[7] = (uint8_t)(copy[7] & ~MW_RECORD_COMPRESSED);
        put_u32_at(copy + 8, length);
        fix_record(copy, length);
        at += MW_RECORD_HEADER_BYTES + stored;
        result.length += MW_RECORD_HEADER_BYTES + length;
    }
    return result;
}
