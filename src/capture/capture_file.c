/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "capture/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

/* ── reading ─────────────────────────────────────────────────────────────────────── */

/* MW_OK with fewer bytes than wanted at the end of the file. */
static mw_status read_at(const mw_capture_file *file, uint64_t offset, uint8_t *bytes,
                         size_t wanted, size_t *ret_length, mw_error *reterr)
{
    size_t length = 0;

    while (length < wanted) {
        ssize_t got =
            pread(file->descriptor, bytes + length, wanted - length, (off_t)(offset + length));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mw_error_set(reterr, MW_IO, "%s: cannot be read: %s.", file->name,
                                strerrordesc_np(errno));
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *ret_length = length;
    return MW_OK;
}

static mw_status out_of_memory(const mw_capture_file *file, mw_error *reterr)
{
    return mw_error_set(reterr, MW_NO_MEMORY, "%s: out of memory while reading.", file->name);
}

/* ── opening ─────────────────────────────────────────────────────────────────────── */

static void set_name(mw_capture_file *file, const char *path)
{
    size_t length = strlen(path), room = sizeof file->name - 1;

    if (length <= room)
        snprintf(file->name, sizeof file->name, "%s", path);
    else
        snprintf(file->name, sizeof file->name, "…%s", path + length - (room - strlen("…")));
}

static uint32_t number_at(const uint8_t *bytes, unsigned count)
{
    uint32_t number = 0;

    for (unsigned i = 0; i < count; i++)
        number |= (uint32_t)bytes[i] << (8 * i);
    return number;
}

static mw_status check_header(const mw_capture_file *file, const uint8_t *header, size_t length,
                              mw_error *reterr)
{
    uint32_t major;

    if (length < MW_CAPTURE_MAGIC_BYTES ||
        memcmp(header, MW_CAPTURE_MAGIC, MW_CAPTURE_MAGIC_BYTES) != 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: is not a capture of memwhy.", file->name);
    if (length < MW_CAPTURE_HEADER_BYTES)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: is cut off within its first %d bytes.",
                            file->name, MW_CAPTURE_HEADER_BYTES);
    major = number_at(header + 8, 2);
    if (major > MW_CAPTURE_MAJOR)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "%s: was made by a newer memwhy, format %u; this one reads up to %d.",
                            file->name, major, MW_CAPTURE_MAJOR);
    if (major == 0 || crc32_z(0, header, 12) != number_at(header + 12, 4))
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: its first %d bytes are damaged.", file->name,
                            MW_CAPTURE_HEADER_BYTES);
    return MW_OK;
}

static mw_status open_regular(mw_capture_file *file, const char *path, mw_error *reterr)
{
    struct stat there;

    /* Opening a pipe would wait for somebody to write to it. */
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->descriptor < 0)
        return mw_error_set(reterr, MW_IO, "%s: cannot be opened: %s.", file->name,
                            strerrordesc_np(errno));
    if (fstat(file->descriptor, &there) != 0 || !S_ISREG(there.st_mode))
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: is not a file.", file->name);
    file->size = (uint64_t)there.st_size;
    return MW_OK;
}

mw_status mw_capture_file_open(mw_capture_file *file, const char *path, mw_alloc *alloc,
                               mw_error *reterr)
{
    uint8_t header[MW_CAPTURE_HEADER_BYTES];
    size_t length = 0;
    mw_status status;

    *file = (mw_capture_file){.alloc = alloc, .descriptor = -1};
    set_name(file, path);
    mw_bytes_init(&file->stored, alloc);
    mw_bytes_init(&file->payload, alloc);
    status = open_regular(file, path, reterr);
    if (status == MW_OK)
        status = read_at(file, 0, header, sizeof header, &length, reterr);
    if (status == MW_OK)
        status = check_header(file, header, length, reterr);
    if (status != MW_OK)
        mw_capture_file_done(file);
    return status;
}

void mw_capture_file_done(mw_capture_file *file)
{
    if (file->alloc == NULL)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    mw_bytes_done(&file->stored);
    mw_bytes_done(&file->payload);
    ZSTD_freeDCtx(file->decompressor);
    *file = (mw_capture_file){.descriptor = -1};
}

/* ── records ─────────────────────────────────────────────────────────────────────── */

/* Decompresses into `payload`; MW_BAD_INPUT if it does not come out as it should. */
static mw_status decompress(mw_capture_file *file, const mw_capture_record *record)
{
    const uint8_t *stored = file->stored.bytes + MW_RECORD_HEADER_BYTES;
    uint8_t *room;
    size_t length;

    if (file->decompressor == NULL)
        file->decompressor = ZSTD_createDCtx();
    mw_bytes_clear(&file->payload);
    room = mw_bytes_reserve(&file->payload, record->length);
    if (room == NULL || file->decompressor == NULL)
        return MW_NO_MEMORY;
    length = ZSTD_decompressDCtx(file->decompressor, room, record->length, stored,
                                 record->stored_length);
    return !ZSTD_isError(length) && length == record->length ? MW_OK : MW_BAD_INPUT;
}

/* Whether there are only zeroes from [offset] to the end: the system had made room for more
 * when it went down. */
static mw_status only_zeroes_follow(mw_capture_file *file, uint64_t offset, bool *ret_only,
                                    mw_error *reterr)
{
    uint8_t bytes[4096];
    size_t length = 1;

    *ret_only = false;
    for (; length != 0; offset += length) {
        mw_status status = read_at(file, offset, bytes, sizeof bytes, &length, reterr);

        if (status != MW_OK)
            return status;
        for (size_t i = 0; i < length; i++) {
            if (bytes[i] != 0)
                return MW_OK;
        }
    }
    *ret_only = true;
    return MW_OK;
}

/* What is at [offset] is no record's header, or no whole record. */
static mw_status judge(mw_capture_file *file, uint64_t offset, uint64_t end,
                       mw_record_state *ret_state, mw_error *reterr)
{
    bool is_torn = end >= file->size;
    mw_status status = MW_OK;

    if (!is_torn)
        status = only_zeroes_follow(file, offset, &is_torn, reterr);
    *ret_state = is_torn ? MW_RECORD_TORN : MW_RECORD_DAMAGED;
    return status;
}

/* Reads a record's bytes into `stored`, as far as the file has them. */
static mw_status read_stored(mw_capture_file *file, uint64_t offset, size_t length,
                             size_t *ret_length, mw_error *reterr)
{
    uint8_t *room;

    mw_bytes_clear(&file->stored);
    room = mw_bytes_reserve(&file->stored, length);
    if (room == NULL)
        return out_of_memory(file, reterr);
    return read_at(file, offset, room, length, ret_length, reterr);
}

static mw_status read_payload(mw_capture_file *file, const mw_located_record *located,
                              mw_record_state *ret_state, mw_cursor *ret_payload, mw_error *reterr)
{
    const mw_capture_record *record = &located->record;
    size_t wanted = MW_RECORD_HEADER_BYTES + (size_t)record->stored_length, length = 0;
    mw_status status = read_stored(file, located->offset, wanted, &length, reterr);

    if (status != MW_OK)
        return status;
    if (length < wanted ||
        !mw_capture_record_is_intact(file->stored.bytes,
                                     file->stored.bytes + MW_RECORD_HEADER_BYTES, record))
        return judge(file, located->offset, located->offset + wanted, ret_state, reterr);
    *ret_state = MW_RECORD_WHOLE;
    *ret_payload = mw_cursor_of(file->stored.bytes + MW_RECORD_HEADER_BYTES, record->stored_length);
    if ((record->flags & MW_RECORD_COMPRESSED) == 0)
        return MW_OK;
    status = decompress(file, record);
    if (status == MW_NO_MEMORY)
        return out_of_memory(file, reterr);
    if (status != MW_OK)
        *ret_state = MW_RECORD_DAMAGED;
    *ret_payload = mw_cursor_of(file->payload.bytes, record->length);
    return MW_OK;
}

mw_status mw_capture_file_read(mw_capture_file *file, uint64_t offset, mw_record_state *ret_state,
                               mw_located_record *ret_located, mw_cursor *ret_payload,
                               mw_error *reterr)
{
    size_t length = 0;
    mw_status status;

    *ret_state = MW_RECORD_NONE;
    if (offset >= file->size)
        return MW_OK;
    status = read_stored(file, offset, MW_RECORD_HEADER_BYTES, &length, reterr);
    if (status != MW_OK)
        return status;
    ret_located->offset = offset;
    if (length < MW_RECORD_HEADER_BYTES)
        *ret_state = MW_RECORD_TORN;
    else if (!mw_capture_record_read_header(file->stored.bytes, &ret_located->record))
        return judge(file, offset, 0, ret_state, reterr);
    else if (offset + MW_RECORD_HEADER_BYTES + ret_located->record.stored_length > file->size)
        *ret_state = MW_RECORD_TORN;
    else
        return read_payload(file, ret_located, ret_state, ret_payload, reterr);
    return MW_OK;
}

bool mw_capture_file_reread(mw_capture_file *file, const mw_located_record *located,
                            mw_cursor *ret_payload)
{
    mw_record_state state;
    mw_located_record again;

    return mw_capture_file_read(file, located->offset, &state, &again, ret_payload, NULL) ==
               MW_OK &&
           state == MW_RECORD_WHOLE && again.record.checksum == located->record.checksum &&
           again.record.length == located->record.length;
}
