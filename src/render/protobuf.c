/* SPDX-License-Identifier: MIT */
#include "render/protobuf.h"

/* https://protobuf.dev/programming-guides/encoding/: how a field's value is laid out. */
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, VARINT_BYTES_MAXIMUM = 10 };

void mw_protobuf_varint(mw_sink *sink, uint64_t number)
{
    char bytes[VARINT_BYTES_MAXIMUM];
    size_t length = 0;

    for (; number >= 0x80; number >>= 7)
        bytes[length++] = (char)(number | 0x80);
    bytes[length++] = (char)number;
    mw_sink_bytes(sink, bytes, length);
}

void mw_protobuf_number(mw_sink *sink, uint32_t field, uint64_t number)
{
    if (number == 0)
        return;
    mw_protobuf_varint(sink, field << 3 | WIRE_VARINT);
    mw_protobuf_varint(sink, number);
}

void mw_protobuf_bytes(mw_sink *sink, uint32_t field, const char *bytes, size_t length)
{
    mw_protobuf_varint(sink, field << 3 | WIRE_BYTES);
    mw_protobuf_varint(sink, length);
    mw_sink_bytes(sink, bytes, length);
}

void mw_protobuf_message(mw_sink *sink, uint32_t field, mw_buffer *message)
{
    mw_protobuf_bytes(sink, field, message->bytes, message->length);
    if (sink->status == MW_OK)
        sink->status = message->sink.status;
    message->length = 0;
}
