/* SPDX-License-Identifier: MIT
 *
 * A record of a capture: sixteen bytes that say what it is and how long, with a check of
 * their own, and a payload, which may be compressed.  See docs/format.md.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/format.h"

typedef struct mw_capture_record {
    uint32_t checksum;      /* CRC-32 of all of the record behind these four bytes    */
    uint8_t type;           /* a mw_record_type, or one that is not known here        */
    uint8_t flags;          /* MW_RECORD_COMPRESSED, MW_RECORD_OPTIONAL               */
    uint32_t stored_length; /* of the payload as it is in the file                    */
    uint32_t length;        /* of the payload as it is read; the same if not compressed */
} mw_capture_record;

/* Appends a whole record to [out], its payload compressed if that makes it smaller.
 * MW_LIMIT when the payload is longer than a record may be.  On failure [out] is as it
 * was. */
mw_status mw_capture_record_append(mw_bytes *out, mw_record_type type, uint8_t flags,
                                   const mw_bytes *payload) MW_MUST_CHECK;

/* Reads a record's header, whose own check must fit; false if what is there is none. */
bool mw_capture_record_read_header(const uint8_t bytes[MW_RECORD_HEADER_BYTES],
                                   mw_capture_record *ret_record);

/* Whether the payload, as it is stored, is what the header's checksum is of. */
bool mw_capture_record_is_intact(const uint8_t header[MW_RECORD_HEADER_BYTES],
                                 const uint8_t *stored, const mw_capture_record *record);

/* The first bytes of a capture. */
void mw_capture_header_write(mw_bytes *out);
