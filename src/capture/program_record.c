/* SPDX-License-Identifier: MIT
 *
 * Which field of which struct has which number stands in tables, which both directions and
 * the freeing run through.
 */
#include "capture/program_record.h"

#include "capture/format.h"

#include <string.h>

/* The most places of each kind, and bytes of a text. */
enum { PLACE_MAXIMUM = 4096, TEXT_MAXIMUM = 1 << 20 };

typedef enum field_kind {
    FIELD_TEXT,
    FIELD_NUMBER,   /* uint64_t */
    FIELD_SIGNED,   /* int64_t  */
    FIELD_NUMBER32, /* uint32_t */
} field_kind;

typedef struct field {
    uint32_t number;
    field_kind kind;
    size_t offset;
} field;

#define FIELD(type, number, kind, member)                                                          \
    {                                                                                              \
        number, kind, offsetof(type, member)                                                       \
    }

static const field program_fields[] = {
    FIELD(mw_program, MW_PROGRAM_NAME, FIELD_TEXT, name),
    FIELD(mw_program, MW_PROGRAM_COMMAND_LINE, FIELD_TEXT, command_line),
    FIELD(mw_program, MW_PROGRAM_DIRECTORY, FIELD_TEXT, directory),
    FIELD(mw_program, MW_PROGRAM_PYTHON, FIELD_TEXT, python),
    FIELD(mw_program, MW_PROGRAM_EXECUTABLE, FIELD_TEXT, executable),
    FIELD(mw_program, MW_PROGRAM_MEMWHY, FIELD_TEXT, memwhy),
    FIELD(mw_program, MW_PROGRAM_HOST, FIELD_TEXT, host),
    FIELD(mw_program, MW_PROGRAM_PID, FIELD_SIGNED, pid),
    FIELD(mw_program, MW_PROGRAM_PARENT_PID, FIELD_SIGNED, parent_pid),
    FIELD(mw_program, MW_PROGRAM_START, FIELD_NUMBER, start_unix_ns),
    FIELD(mw_program, MW_PROGRAM_MEMORY_LIMIT, FIELD_NUMBER, memory_limit_bytes),
    FIELD(mw_program, MW_PROGRAM_SAMPLE_BYTES, FIELD_NUMBER, sample_bytes),
    FIELD(mw_program, MW_PROGRAM_FRAME_LIMIT, FIELD_NUMBER32, frame_limit),
    {0, 0, 0},
};

static const field child_fields[] = {
    FIELD(mw_child, MW_CHILD_TIME, FIELD_NUMBER, time_ns),
    FIELD(mw_child, MW_CHILD_PID, FIELD_SIGNED, pid),
    FIELD(mw_child, MW_CHILD_CAPTURE, FIELD_TEXT, capture),
    {0, 0, 0},
};

static const field input_fields[] = {
    FIELD(mw_capture_input, MW_INPUT_FILE, FIELD_TEXT, file),
    FIELD(mw_capture_input, MW_INPUT_PROGRAM, FIELD_TEXT, program),
    FIELD(mw_capture_input, MW_INPUT_HOST, FIELD_TEXT, host),
    FIELD(mw_capture_input, MW_INPUT_PID, FIELD_SIGNED, pid),
    FIELD(mw_capture_input, MW_INPUT_START, FIELD_NUMBER, start_unix_ns),
    FIELD(mw_capture_input, MW_INPUT_TIME, FIELD_NUMBER, time_ns),
    FIELD(mw_capture_input, MW_INPUT_LIVE_BYTES, FIELD_NUMBER, tally.live_bytes),
    FIELD(mw_capture_input, MW_INPUT_LIVE_BLOCKS, FIELD_NUMBER, tally.live_blocks),
    FIELD(mw_capture_input, MW_INPUT_TOTAL_BYTES, FIELD_NUMBER, tally.total_bytes),
    FIELD(mw_capture_input, MW_INPUT_TOTAL_BLOCKS, FIELD_NUMBER, tally.total_blocks),
    {0, 0, 0},
};

/* ── encoding ────────────────────────────────────────────────────────────────────── */

static void put_text(mw_bytes *payload, uint32_t number, const char *text)
{
    mw_bytes_varint(payload, number);
    mw_bytes_varint(payload, strlen(text));
    mw_bytes_put(payload, text, strlen(text));
}

static void put_number(mw_bytes *payload, uint32_t number, uint64_t value)
{
    size_t at = payload->length + 2;

    mw_bytes_varint(payload, number);
    mw_bytes_varint(payload, 0);
    mw_bytes_varint(payload, value);
    /* A number has ten bytes at most, so its length is one. */
    if (payload->status == MW_OK)
        payload->bytes[at - 1] = (uint8_t)(payload->length - at);
}

static void put_fields(mw_bytes *payload, const field *fields, const void *values)
{
    for (; fields->number != 0; fields++) {
        const void *value = (const char *)values + fields->offset;

        switch (fields->kind) {
        case FIELD_TEXT:
            if (*(const char *const *)value != NULL)
                put_text(payload, fields->number, *(const char *const *)value);
            break;
        case FIELD_NUMBER:
            put_number(payload, fields->number, *(const uint64_t *)value);
            break;
        case FIELD_SIGNED:
            put_number(payload, fields->number, mw_zigzag((uint64_t) * (const int64_t *)value));
            break;
        case FIELD_NUMBER32:
            put_number(payload, fields->number, *(const uint32_t *)value);
            break;
        }
    }
}

void mw_program_encode(const mw_program *program, mw_bytes *payload)
{
    put_fields(payload, program_fields, program);
    for (size_t i = 0; i < program->program_place_count; i++)
        put_text(payload, MW_PROGRAM_PROGRAM_PLACE, program->program_places[i]);
    for (size_t i = 0; i < program->library_place_count; i++)
        put_text(payload, MW_PROGRAM_LIBRARY_PLACE, program->library_places[i]);
}

void mw_child_encode(const mw_child *child, mw_bytes *payload)
{
    put_fields(payload, child_fields, child);
}

void mw_input_encode(const mw_capture_input *input, mw_bytes *payload)
{
    put_fields(payload, input_fields, input);
}

void mw_end_encode(int exit_status, mw_bytes *payload)
{
    put_number(payload, MW_END_EXIT_STATUS, mw_zigzag((uint64_t)exit_status));
}

/* ── decoding ────────────────────────────────────────────────────────────────────── */

static mw_status copy_text(mw_cursor value, mw_alloc *alloc, const char **ret_text)
{
    size_t length = mw_cursor_left(&value);
    char *text;

    if (length > TEXT_MAXIMUM || memchr(value.next, '\0', length) != NULL)
        return MW_BAD_INPUT;
    text = mw_alloc_new(alloc, length + 1);
    if (text == NULL)
        return MW_NO_MEMORY;
    memcpy(text, value.next, length);
    *ret_text = text;
    return MW_OK;
}

static void free_text(const char *text, mw_alloc *alloc)
{
    if (text != NULL)
        mw_alloc_release(alloc, (char *)text, strlen(text) + 1);
}

static mw_status take_number(mw_cursor value, const field *known, void *place)
{
    uint64_t number = mw_cursor_varint(&value);

    if (value.is_bad || mw_cursor_left(&value) != 0 ||
        (known->kind == FIELD_NUMBER32 && number > UINT32_MAX))
        return MW_BAD_INPUT;
    if (known->kind == FIELD_NUMBER)
        *(uint64_t *)place = number;
    else if (known->kind == FIELD_SIGNED)
        *(int64_t *)place = (int64_t)mw_unzigzag(number);
    else
        *(uint32_t *)place = (uint32_t)number;
    return MW_OK;
}

/* A field that is there twice counts once, the last one. */
static mw_status take_field(mw_cursor value, const field *known, mw_alloc *alloc, void *values)
{
    void *place = (char *)values + known->offset;
    const char *text;
    mw_status status;

    if (known->kind != FIELD_TEXT)
        return take_number(value, known, place);
    status = copy_text(value, alloc, &text);
    if (status != MW_OK)
        return status;
    free_text(*(const char **)place, alloc);
    *(const char **)place = text;
    return MW_OK;
}

static const field *find_field(const field *fields, uint64_t number)
{
    for (; fields->number != 0; fields++) {
        if (fields->number == number)
            return fields;
    }
    return NULL;
}

/* The next field's number and value; false at the end, or if what follows is none. */
static bool next_field(mw_cursor *payload, uint64_t *ret_number, mw_cursor *ret_value)
{
    uint64_t length;
    const uint8_t *bytes;

    if (payload->is_bad || mw_cursor_left(payload) == 0)
        return false;
    *ret_number = mw_cursor_varint(payload);
    length = mw_cursor_varint(payload);
    bytes = mw_cursor_take(payload, length);
    if (payload->is_bad)
        return false;
    *ret_value = mw_cursor_of(bytes, (size_t)length);
    return true;
}

/* Texts that are not there are empty. */
static mw_status fill_texts(const field *fields, mw_alloc *alloc, void *values)
{
    for (; fields->number != 0; fields++) {
        const char **place = (const char **)(void *)((char *)values + fields->offset);
        mw_status status = MW_OK;

        if (fields->kind == FIELD_TEXT && *place == NULL)
            status = copy_text(mw_cursor_of((const uint8_t *)"", 0), alloc, place);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status take_fields(mw_cursor payload, const field *fields, mw_alloc *alloc, void *values)
{
    mw_status status = MW_OK;
    uint64_t number;
    mw_cursor value;

    while (status == MW_OK && next_field(&payload, &number, &value)) {
        const field *known = find_field(fields, number);

        if (known != NULL)
            status = take_field(value, known, alloc, values);
    }
    if (status == MW_OK && payload.is_bad)
        status = MW_BAD_INPUT;
    return status == MW_OK ? fill_texts(fields, alloc, values) : status;
}

static void free_fields(const field *fields, mw_alloc *alloc, void *values)
{
    for (; fields->number != 0; fields++) {
        if (fields->kind == FIELD_TEXT)
            free_text(*(const char **)(void *)((char *)values + fields->offset), alloc);
    }
}

/* ── places ──────────────────────────────────────────────────────────────────────── */

static size_t count_places(mw_cursor payload, uint32_t wanted)
{
    size_t count = 0;
    uint64_t number;
    mw_cursor value;

    while (next_field(&payload, &number, &value))
        count += number == wanted;
    return count;
}

static mw_status take_places(mw_cursor payload, uint32_t wanted, mw_alloc *alloc,
                             const char *const **ret_places, size_t *ret_count)
{
    size_t count = count_places(payload, wanted), taken = 0;
    mw_status status = MW_OK;
    const char **places;
    uint64_t number;
    mw_cursor value;

    if (count == 0)
        return MW_OK;
    if (count > PLACE_MAXIMUM)
        return MW_BAD_INPUT;
    places = mw_alloc_array(alloc, count, sizeof *places);
    if (places == NULL)
        return MW_NO_MEMORY;
    *ret_places = places;
    *ret_count = count;
    while (status == MW_OK && next_field(&payload, &number, &value)) {
        if (number == wanted)
            status = copy_text(value, alloc, &places[taken++]);
    }
    return status;
}

static void free_places(const char *const *places, size_t count, mw_alloc *alloc)
{
    for (size_t i = 0; i < count; i++)
        free_text(places[i], alloc);
    mw_alloc_release(alloc, (void *)places, count * sizeof *places);
}

/* ── public ──────────────────────────────────────────────────────────────────────── */

mw_status mw_program_decode(mw_cursor payload, mw_alloc *alloc, mw_program *ret_program)
{
    mw_status status = take_fields(payload, program_fields, alloc, ret_program);

    if (status == MW_OK)
        status = take_places(payload, MW_PROGRAM_PROGRAM_PLACE, alloc, &ret_program->program_places,
                             &ret_program->program_place_count);
    if (status == MW_OK)
        status = take_places(payload, MW_PROGRAM_LIBRARY_PLACE, alloc, &ret_program->library_places,
                             &ret_program->library_place_count);
    return status;
}

mw_status mw_child_decode(mw_cursor payload, mw_alloc *alloc, mw_child *ret_child)
{
    return take_fields(payload, child_fields, alloc, ret_child);
}

mw_status mw_input_decode(mw_cursor payload, mw_alloc *alloc, mw_capture_input *ret_input)
{
    return take_fields(payload, input_fields, alloc, ret_input);
}

mw_status mw_end_decode(mw_cursor payload, int *ret_exit_status)
{
    static const field fields[] = {{MW_END_EXIT_STATUS, FIELD_SIGNED, 0}, {0, 0, 0}};
    int64_t exit_status = 0;
    mw_status status = take_fields(payload, fields, NULL, &exit_status);

    if (status == MW_OK && exit_status != (int)exit_status)
        return MW_BAD_INPUT;
    *ret_exit_status = (int)exit_status;
    return status;
}

void mw_program_done(mw_program *program, mw_alloc *alloc)
{
    free_fields(program_fields, alloc, program);
    free_places(program->program_places, program->program_place_count, alloc);
    free_places(program->library_places, program->library_place_count, alloc);
    *program = (mw_program){0};
}

void mw_child_done(mw_child *child, mw_alloc *alloc)
{
    free_fields(child_fields, alloc, child);
    *child = (mw_child){0};
}

void mw_input_done(mw_capture_input *input, mw_alloc *alloc)
{
    free_fields(input_fields, alloc, input);
    *input = (mw_capture_input){0};
}
