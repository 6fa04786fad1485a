/* SPDX-License-Identifier: MIT
 *
 * Writing JSON without having it in memory first: who opens closes, commas come by
 * themselves.
 */
#pragma once

#include "render/render.h"

#include <string.h>

typedef struct mw_heap_json {
    mw_sink *sink;
    bool wants_comma; /* something stands before, in the same brackets */
} mw_heap_json;

static inline void mw_heap_json_comma(mw_heap_json *json)
{
    if (json->wants_comma)
        mw_sink_text(json->sink, ",");
    json->wants_comma = true;
}

/* [name] is NULL in arrays. */
static inline void mw_heap_json_name(mw_heap_json *json, const char *name)
{
    mw_heap_json_comma(json);
    if (name != NULL)
        mw_sink_format(json->sink, "\"%s\":", name);
}

static inline void mw_heap_json_open(mw_heap_json *json, const char *name, const char *bracket)
{
    mw_heap_json_name(json, name);
    mw_sink_text(json->sink, bracket);
    json->wants_comma = false;
}

static inline void mw_heap_json_close(mw_heap_json *json, const char *bracket)
{
    mw_sink_text(json->sink, bracket);
    json->wants_comma = true;
}

static inline void mw_heap_json_number(mw_heap_json *json, const char *name, uint64_t number)
{
    mw_heap_json_name(json, name);
    mw_sink_format(json->sink, "%llu", (unsigned long long)number);
}

static inline void mw_heap_json_bytes(mw_heap_json *json, const char *name, const char *bytes,
                                      size_t length)
{
    mw_heap_json_name(json, name);
    mw_sink_json_string(json->sink, bytes, length);
}

static inline void mw_heap_json_text(mw_heap_json *json, const char *name, const char *text)
{
    mw_heap_json_bytes(json, name, text, strlen(text));
}
