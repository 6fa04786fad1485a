/* SPDX-License-Identifier: MIT
 *
 * Objects of JSON on one line, member by member:
 *
 *     mw_json_object object = mw_json_object_start(sink);
 *     mw_json_number(&object, "bytes", bytes);
 *     mw_json_object_end(&object);
 *
 * Keys are ours and need no escaping; strings are anybody's.
 */
#pragma once

#include "render/render.h"

typedef struct mw_json_object {
    mw_sink *sink; /* borrowed                 */
    bool has_members;
} mw_json_object;

static inline mw_json_object mw_json_object_start(mw_sink *sink)
{
    mw_sink_bytes(sink, "{", 1);
    return (mw_json_object){.sink = sink};
}

static inline void mw_json_object_end(const mw_json_object *object)
{
    mw_sink_bytes(object->sink, "}", 1);
}

/* Writes the key; the value is to follow. */
static inline void mw_json_key(mw_json_object *object, const char *key)
{
    mw_sink_text(object->sink, object->has_members ? ", \"" : "\"");
    mw_sink_text(object->sink, key);
    mw_sink_text(object->sink, "\": ");
    object->has_members = true;
}

static inline void mw_json_number(mw_json_object *object, const char *key, uint64_t number)
{
    mw_json_key(object, key);
    mw_sink_number(object->sink, number);
}

static inline void mw_json_signed(mw_json_object *object, const char *key, int64_t number)
{
    mw_json_key(object, key);
    mw_sink_signed(object->sink, number);
}

static inline void mw_json_string(mw_json_object *object, const char *key, const char *bytes,
                                  size_t length)
{
    mw_json_key(object, key);
    mw_sink_json_string(object->sink, bytes, length);
}

static inline void mw_json_text(mw_json_object *object, const char *key, const char *text)
{
    mw_json_key(object, key);
    mw_sink_json_text(object->sink, text);
}

static inline void mw_json_null(mw_json_object *object, const char *key)
{
    mw_json_key(object, key);
    mw_sink_text(object->sink, "null");
}
