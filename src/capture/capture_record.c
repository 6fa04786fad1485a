/* SPDX-License-Identifier: MIT
 *
 * What is compressed expands at most 64 times, so that a reader who takes memory for what
 * comes out takes no more than the file warrants.  Where zstd does better than that, the
 * payload gets an empty ("skippable") frame behind it that weighs the rest.
 */
#include "capture/capture_record.h"

#include <string.h>

#include <zlib.h>
#include <zstd.h>

enum {
    COMPRESSION_LEVEL = 9,       /* records are small and come seldom: see docs/performance.md */
    COMPRESSION_LEVEL_LARGE = 3, /* of those that are not small, or one of many              */
    LARGE_BYTES = 1 << 20,
    COMPRESSED_MINIMUM = 32, /* shorter ones never get smaller */
    SKIPPABLE_HEADER_BYTES = 8,
};

/* Where things are in a header. */
enum {
    AT_CHECKSUM = 0,
    AT_HEADER_CHECK = 4,
    AT_TYPE = 6,
    AT_FLAGS = 7,
    AT_STORED = 8,
    AT_LENGTH = 12
};

/* ── numbers of fixed width ──────────────────────────────────────────────────────── */

static void write_u32(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

static void write_u16(uint8_t *bytes, uint32_t number)
{
    bytes[0] = (uint8_t)number;
    bytes[1] = (uint8_t)(number >> 8);
}

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t length)
{
    return (uint32_t)crc32_z(crc, bytes, length);
}

/* ── headers ─────────────────────────────────────────────────────────────────────── */

static uint32_t header_check(const uint8_t *header)
{
    return crc_of(0, header + AT_TYPE, MW_RECORD_HEADER_BYTES - AT_TYPE) & 0xffff;
}

static uint32_t checksum(const uint8_t *header, const uint8_t *stored, size_t length)
{
    uint32_t crc = crc_of(0, header + AT_HEADER_CHECK, MW_RECORD_HEADER_BYTES - AT_HEADER_CHECK);

    return crc_of(crc, stored, length);
}

static void write_header(uint8_t *header, const mw_capture_record *record)
{
    header[AT_TYPE] = record->type;
    header[AT_FLAGS] = record->flags;
    write_u32(header + AT_STORED, record->stored_length);
    write_u32(header + AT_LENGTH, record->length);
    write_u16(header + AT_HEADER_CHECK, header_check(header));
    write_u32(header + AT_CHECKSUM,
              checksum(header, header + MW_RECORD_HEADER_BYTES, record->stored_length));
}

static bool lengths_fit(const mw_capture_record *record)
{
    if (record->stored_length > record->length || record->length > MW_RECORD_LENGTH_MAXIMUM)
        return false;
    if ((record->flags & MW_RECORD_COMPRESSED) == 0)
        return record->stored_length == record->length;
    return record->length <= (uint64_t)record->stored_length * MW_RECORD_EXPANSION_MAXIMUM;
}

bool mw_capture_record_read_header(const uint8_t bytes[MW_RECORD_HEADER_BYTES],
                                   mw_capture_record *ret_record)
{
    *ret_record = (mw_capture_record){
        .checksum = read_u32(bytes + AT_CHECKSUM),
        .type = bytes[AT_TYPE],
        .flags = bytes[AT_FLAGS],
        .stored_length = read_u32(bytes + AT_STORED),
        .length = read_u32(bytes + AT_LENGTH),
    };
    return (read_u32(bytes + AT_HEADER_CHECK) & 0xffff) == header_check(bytes) &&
           ret_record->type != 0 && (ret_record->flags & ~MW_RECORD_FLAGS) == 0 &&
           lengths_fit(ret_record);
}

bool mw_capture_record_is_intact(const uint8_t header[MW_RECORD_HEADER_BYTES],
                                 const uint8_t *stored, const mw_capture_record *record)
{
    return record->checksum == checksum(header, stored, record->stored_length);
}

/* ── payloads ────────────────────────────────────────────────────────────────────── */

/* Makes what was compressed weigh what a reader may expect of it; returns its length. */
static size_t add_weight(uint8_t *stored, size_t stored_length, size_t length)
{
    size_t wanted = (length + MW_RECORD_EXPANSION_MAXIMUM - 1) / MW_RECORD_EXPANSION_MAXIMUM;
    size_t filling;

    if (stored_length >= wanted)
        return stored_length;
    filling = wanted - stored_length;
    filling = filling > SKIPPABLE_HEADER_BYTES ? filling - SKIPPABLE_HEADER_BYTES : 0;
    write_u32(stored + stored_length, ZSTD_MAGIC_SKIPPABLE_START);
    write_u32(stored + stored_length + 4, (uint32_t)filling);
    memset(stored + stored_length + SKIPPABLE_HEADER_BYTES, 0, filling);
    return stored_length + SKIPPABLE_HEADER_BYTES + filling;
}

/* The payload's length as it is stored at [stored], which has room for [room] bytes; 0 if
 * compressing does not make it smaller. */
static size_t compress_payload(mw_record_type type, const mw_bytes *payload, uint8_t *stored,
                               size_t room)
{
    bool is_large = payload->length >= LARGE_BYTES || type == MW_RECORD_HEAP_NODES;
    int level = is_large ? COMPRESSION_LEVEL_LARGE : COMPRESSION_LEVEL;
    size_t length;

    if (payload->length < COMPRESSED_MINIMUM)
        return 0;
    length = ZSTD_compress(stored, room, payload->bytes, payload->length, level);
    if (ZSTD_isError(length))
        return 0;
    length = add_weight(stored, length, payload->length);
    return length < payload->length ? length : 0;
}

mw_status mw_capture_record_append(mw_bytes *out, mw_record_type type, uint8_t flags,
                                   const mw_bytes *payload)
{
    mw_capture_record record = {.type = (uint8_t)type, .flags = flags};
    size_t room = ZSTD_compressBound(payload->length) + SKIPPABLE_HEADER_BYTES;
    uint8_t *header;

    if (payload->status != MW_OK)
        return payload->status;
    if (payload->length > MW_RECORD_LENGTH_MAXIMUM)
        return MW_LIMIT;
    header = mw_bytes_reserve(out, MW_RECORD_HEADER_BYTES + room);
    if (header == NULL)
        return out->status;
    record.length = (uint32_t)payload->length;
    record.stored_length =
        (uint32_t)compress_payload(type, payload, header + MW_RECORD_HEADER_BYTES, room);
    if (record.stored_length != 0) {
        record.flags |= MW_RECORD_COMPRESSED;
    } else if (payload->length != 0) {
        record.stored_length = record.length;
        memcpy(header + MW_RECORD_HEADER_BYTES, payload->bytes, payload->length);
    }
    write_header(header, &record);
    out->length += MW_RECORD_HEADER_BYTES + record.stored_length;
    return MW_OK;
}

/* ── the file's own header ───────────────────────────────────────────────────────── */

void mw_capture_header_write(mw_bytes *out)
{
    uint8_t header[MW_CAPTURE_HEADER_BYTES];

    memcpy(header, MW_CAPTURE_MAGIC, MW_CAPTURE_MAGIC_BYTES);
    write_u16(header + 8, MW_CAPTURE_MAJOR);
    write_u16(header + 10, MW_CAPTURE_MINOR);
    write_u32(header + 12, crc_of(0, header, 12));
    mw_bytes_put(out, header, sizeof header);
}
