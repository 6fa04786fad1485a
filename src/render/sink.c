/* SPDX-License-Identifier: MIT */
#include "render/render.h"

#include "render/utf8_step.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUFFER_BYTES_MAXIMUM = 1 << 30 };

void mw_sink_bytes(mw_sink *sink, const char *bytes, size_t length)
{
    if (sink->status == MW_OK && length != 0)
        sink->status = sink->write(sink, bytes, length);
}

void mw_sink_text(mw_sink *sink, const char *text)
{
    mw_sink_bytes(sink, text, strlen(text));
}

void mw_sink_format(mw_sink *sink, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mw_sink_text(sink, text);
}

void mw_sink_repeat(mw_sink *sink, char byte, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        mw_sink_bytes(sink, &byte, 1);
}

void mw_sink_number(mw_sink *sink, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    mw_sink_bytes(sink, digits + at, sizeof digits - at);
}

void mw_sink_signed(mw_sink *sink, int64_t number)
{
    if (number < 0)
        mw_sink_bytes(sink, "-", 1);
    mw_sink_number(sink, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/* ── names as JSON ───────────────────────────────────────────────────────────────── */

static void write_escaped(mw_sink *sink, const char *bytes, size_t step)
{
    uint32_t code = mw_utf8_code(bytes, step);

    if (step == 1 && (code == '"' || code == '\\'))
        mw_sink_format(sink, "\\%c", (int)code);
    else if (step == 1 && code >= 0x80)
        mw_sink_text(sink, "\\ufffd"); /* a byte of no character */
    else if (code < 0x20 || code == 0x7f || mw_utf8_is_surrogate(bytes, step))
        mw_sink_format(sink, "\\u%04x", code);
    else if (mw_utf8_is_valid(bytes, step))
        mw_sink_bytes(sink, bytes, step);
    else
        mw_sink_text(sink, "\\ufffd");
}

void mw_sink_json_string(mw_sink *sink, const char *bytes, size_t length)
{
    mw_sink_text(sink, "\"");
    for (size_t at = 0; at < length;) {
        size_t step = mw_utf8_step(bytes + at, length - at);
        write_escaped(sink, bytes + at, step);
        at += step;
    }
    mw_sink_text(sink, "\"");
}

void mw_sink_json_text(mw_sink *sink, const char *text)
{
    mw_sink_json_string(sink, text, strlen(text));
}

/* ── names as one line of text ───────────────────────────────────────────────────── */

static bool stays(const char *bytes, size_t step, const char *special)
{
    unsigned char first = (unsigned char)*bytes;

    if (step == 1)
        return first >= 0x20 && first < 0x7f && first != '\\' && strchr(special, first) == NULL;
    return mw_utf8_is_valid(bytes, step) && !mw_utf8_is_control(bytes, step);
}

static void write_literal(mw_sink *sink, const char *bytes, size_t step)
{
    uint32_t code = mw_utf8_code(bytes, step);

    if (code == '\\')
        mw_sink_text(sink, "\\\\");
    else if (code == '\n')
        mw_sink_text(sink, "\\n");
    else if (step == 1)
        mw_sink_format(sink, "\\x%02x", code);
    else if (code <= 0xffff)
        mw_sink_format(sink, "\\u%04x", code);
    else
        mw_sink_format(sink, "\\U%08x", code);
}

void mw_sink_escaped(mw_sink *sink, const char *bytes, size_t length, const char *special)
{
    size_t start = 0;

    for (size_t at = 0; at < length;) {
        size_t step = mw_utf8_step(bytes + at, length - at);

        if (!stays(bytes + at, step, special)) {
            mw_sink_bytes(sink, bytes + start, at - start);
            write_literal(sink, bytes + at, step);
            start = at + step;
        }
        at += step;
    }
    mw_sink_bytes(sink, bytes + start, length - start);
}

/* ── names as a terminal may see them ────────────────────────────────────────────── */

static void write_character(mw_sink *sink, const char *bytes, size_t length)
{
    unsigned char first = (unsigned char)*bytes;

    if (first == '\t')
        mw_sink_bytes(sink, " ", 1);
    else if (first < 0x20 || first == 0x7f || mw_utf8_is_control(bytes, length))
        mw_sink_bytes(sink, "?", 1);
    else if (mw_utf8_is_valid(bytes, length))
        mw_sink_bytes(sink, bytes, length);
    else
        mw_sink_bytes(sink, "?", 1);
}

uint32_t mw_clean_columns(const char *bytes, size_t length)
{
    uint32_t columns = 0;

    for (size_t at = 0; at < length; columns++)
        at += mw_utf8_step(bytes + at, length - at);
    return columns;
}

uint32_t mw_sink_clean(mw_sink *sink, const char *bytes, size_t length, uint32_t columns)
{
    uint32_t all = mw_clean_columns(bytes, length);
    uint32_t room = all <= columns ? all : columns - (columns != 0);
    size_t at = 0;

    for (uint32_t i = 0; i < room; i++) {
        size_t step = mw_utf8_step(bytes + at, length - at);
        write_character(sink, bytes + at, step);
        at += step;
    }
    if (all <= columns)
        return all;
    mw_sink_text(sink, columns == 0 ? "" : "…");
    return columns;
}

/* ── a sink into memory ──────────────────────────────────────────────────────────── */

static mw_status buffer_write(mw_sink *self, const char *bytes, size_t length)
{
    mw_buffer *buffer = (mw_buffer *)self;
    uint64_t needed = (uint64_t)buffer->length + length + 1;

    if (needed > BUFFER_BYTES_MAXIMUM)
        return MW_LIMIT;
    if (needed > buffer->capacity) {
        uint64_t capacity = needed * 2 < 256 ? 256 : needed * 2;
        char *grown = buffer->bytes == NULL ? mw_alloc_new(buffer->alloc, capacity)
                                            : buffer->alloc->resize(buffer->alloc, buffer->bytes,
                                                                    buffer->capacity, capacity);
        if (grown == NULL)
            return MW_NO_MEMORY;
        buffer->bytes = grown;
        buffer->capacity = (uint32_t)capacity;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += (uint32_t)length;
    buffer->bytes[buffer->length] = '\0';
    return MW_OK;
}

void mw_buffer_init(mw_buffer *buffer, mw_alloc *alloc)
{
    *buffer = (mw_buffer){.sink = {.write = buffer_write}, .alloc = alloc};
}

void mw_buffer_done(mw_buffer *buffer)
{
    if (buffer->bytes != NULL)
        mw_alloc_release(buffer->alloc, buffer->bytes, buffer->capacity);
    *buffer = (mw_buffer){0};
}

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

mw_size_text mw_size_format(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    enum { LAST = sizeof units / sizeof units[0] - 1 };
    mw_size_text size;
    double value = (double)bytes;
    int unit = 0;

    /* Lib/tracemalloc.py, _format_size: three digits with a point, else four or five. */
    while (!(value < 100 && unit != 0) && !(value < 10 * 1024 || unit == LAST)) {
        value /= 1024;
        unit++;
    }
    snprintf(size.text, sizeof size.text, value < 100 && unit != 0 ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
    return size;
}

mw_size_text mw_count_format(uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    mw_size_text grouped;
    int at = 0;

    /* 2^64 has 20 digits and 6 commas: more than fits, but no process has 10^15 blocks. */
    for (int i = 0; i < length && at < (int)sizeof grouped.text - 2; i++) {
        if (i != 0 && (length - i) % 3 == 0)
            grouped.text[at++] = ',';
        grouped.text[at++] = digits[i];
    }
    grouped.text[at] = '\0';
    return grouped;
}
