/* SPDX-License-Identifier: MIT
 *
 * The few bytes of Protocol Buffers that pprof's format needs: fields of numbers, strings,
 * packed numbers and messages, written one behind the other into a sink.  A message within
 * a message is first written into a buffer, since its length comes before it.
 */
#pragma once

#include "render/render.h"

void mw_protobuf_varint(mw_sink *sink, uint64_t number);

/* A number, which is left out when it is 0, as readers expect; negative ones are given in
 * two's complement. */
void mw_protobuf_number(mw_sink *sink, uint32_t field, uint64_t number);

/* A string, bytes, a message or packed numbers. */
void mw_protobuf_bytes(mw_sink *sink, uint32_t field, const char *bytes, size_t length);

/* Writes what [message] holds as a field of [sink], and empties it for the next one. */
void mw_protobuf_message(mw_sink *sink, uint32_t field, mw_buffer *message);
