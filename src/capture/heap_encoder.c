/* SPDX-License-Identifier: MIT
 *
 * Columns are gathered apart and put behind one another when they go: numbers of one kind are
 * alike, and compress well beside each other.
 */
#include "capture/heap_encoder.h"

#include "base/hash.h"

#include <string.h>

enum { RECORD_BYTES = 1 << 18 };

#define FORM_MAXIMUM UINT32_MAX

/* Columns of nodes. */
enum { COLUMN_FORM, COLUMN_ADDRESS, COLUMN_SIZE, COLUMN_REFERENCES, COLUMN_DEGREE, COLUMN_LINE };

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void init_bytes(mw_heap_encoder *encoder)
{
    for (int i = 0; i < MW_HEAP_NODE_COLUMNS; i++)
        mw_bytes_init(&encoder->columns[i], encoder->alloc);
    for (int i = 0; i < MW_HEAP_LINE_COLUMNS; i++)
        mw_bytes_init(&encoder->lines[i], encoder->alloc);
    mw_bytes_init(&encoder->counts, encoder->alloc);
    mw_bytes_init(&encoder->text_lengths, encoder->alloc);
    mw_bytes_init(&encoder->texts, encoder->alloc);
    mw_bytes_init(&encoder->edges, encoder->alloc);
    mw_bytes_init(&encoder->payload, encoder->alloc);
}

/* Room for the form that comes next. */
static mw_status grow_forms(mw_heap_encoder *encoder)
{
    mw_status status = mw_alloc_grow(encoder->alloc, &encoder->forms, encoder->form_count,
                                     &encoder->form_capacity, sizeof *encoder->forms, FORM_MAXIMUM);

    if (status == MW_OK)
        status = mw_alloc_grow(encoder->alloc, &encoder->formers, encoder->form_count,
                               &encoder->former_capacity, sizeof *encoder->formers, FORM_MAXIMUM);
    return status;
}

mw_status mw_heap_encoder_init(mw_heap_encoder *encoder, mw_heap_emit *emit, void *context,
                               mw_alloc *alloc)
{
    mw_status status;

    *encoder = (mw_heap_encoder){
        .alloc = alloc, .emit = emit, .context = context, .record_bytes = RECORD_BYTES};
    init_bytes(encoder);
    mw_hash_index_init(&encoder->form_index, alloc);
    status = mw_string_pool_init(&encoder->names, alloc);
    if (status == MW_OK)
        status = grow_forms(encoder);
    if (status != MW_OK) {
        mw_heap_encoder_done(encoder);
        return status;
    }
    encoder->form_count = encoder->written_forms = encoder->written_names = 1;
    return MW_OK;
}

void mw_heap_encoder_done(mw_heap_encoder *encoder)
{
    mw_alloc *alloc = encoder->alloc;

    if (alloc == NULL)
        return;
    mw_string_pool_done(&encoder->names);
    mw_alloc_release(alloc, encoder->forms, encoder->form_capacity * sizeof *encoder->forms);
    mw_alloc_release(alloc, encoder->formers, encoder->former_capacity * sizeof *encoder->formers);
    mw_alloc_release(alloc, encoder->form_names,
                     encoder->form_name_capacity * sizeof *encoder->form_names);
    mw_hash_index_done(&encoder->form_index);
    for (int i = 0; i < MW_HEAP_NODE_COLUMNS; i++)
        mw_bytes_done(&encoder->columns[i]);
    for (int i = 0; i < MW_HEAP_LINE_COLUMNS; i++)
        mw_bytes_done(&encoder->lines[i]);
    mw_bytes_done(&encoder->counts);
    mw_bytes_done(&encoder->text_lengths);
    mw_bytes_done(&encoder->texts);
    mw_bytes_done(&encoder->edges);
    mw_bytes_done(&encoder->payload);
    encoder->alloc = NULL;
}

size_t mw_heap_encoder_memory_bytes(const mw_heap_encoder *encoder)
{
    size_t bytes = mw_string_pool_memory_bytes(&encoder->names);

    bytes += encoder->form_capacity * sizeof *encoder->forms +
             encoder->former_capacity * sizeof *encoder->formers +
             encoder->form_name_capacity * sizeof *encoder->form_names +
             encoder->form_index.capacity * sizeof *encoder->form_index.slots;
    for (int i = 0; i < MW_HEAP_NODE_COLUMNS; i++)
        bytes += encoder->columns[i].capacity;
    for (int i = 0; i < MW_HEAP_LINE_COLUMNS; i++)
        bytes += encoder->lines[i].capacity;
    return bytes + encoder->counts.capacity + encoder->text_lengths.capacity +
           encoder->texts.capacity + encoder->edges.capacity + encoder->payload.capacity;
}

static bool take_status(mw_heap_encoder *encoder, mw_status status)
{
    if (encoder->status == MW_OK)
        encoder->status = status;
    return encoder->status == MW_OK;
}

/* ── names, forms, lines ─────────────────────────────────────────────────────────── */

uint32_t mw_heap_encoder_name(mw_heap_encoder *encoder, const char *bytes, size_t length)
{
    uint32_t number = 0;

    take_status(encoder, mw_string_pool_intern(&encoder->names, bytes, length, &number));
    return number;
}

static uint64_t form_hash(const mw_heap_form *form, const uint32_t *names)
{
    uint64_t hash = mw_hash_combine((uint64_t)form->type << 32 | form->name_count,
                                    (uint64_t)form->text << 8 | (uint64_t)form->edges);

    return mw_hash_combine(hash,
                           mw_hash_bytes((const char *)names, form->name_count * sizeof *names));
}

static bool is_form(const mw_heap_encoder *encoder, uint32_t number, const mw_heap_form *form,
                    const uint32_t *names)
{
    const mw_heap_form *known = &encoder->forms[number];

    return known->type == form->type && known->text == form->text && known->edges == form->edges &&
           known->name_count == form->name_count &&
           (form->name_count == 0 || memcmp(encoder->form_names + known->first_name, names,
                                            form->name_count * sizeof *names) == 0);
}

static mw_status add_form(mw_heap_encoder *encoder, const mw_heap_form *form, const uint32_t *names)
{
    mw_status status = grow_forms(encoder);

    if (status == MW_OK)
        status = mw_hash_index_reserve(&encoder->form_index, 1);
    if (status != MW_OK)
        return status;
    encoder->forms[encoder->form_count] = *form;
    encoder->forms[encoder->form_count].first_name = encoder->form_name_count;
    for (uint32_t i = 0; i < form->name_count && status == MW_OK; i++) {
        status =
            mw_alloc_grow(encoder->alloc, &encoder->form_names, encoder->form_name_count,
                          &encoder->form_name_capacity, sizeof *encoder->form_names, UINT32_MAX);
        if (status == MW_OK)
            encoder->form_names[encoder->form_name_count++] = names[i];
    }
    return status;
}

uint32_t mw_heap_encoder_form(mw_heap_encoder *encoder, const mw_heap_form *form,
                              const uint32_t *names)
{
    uint64_t hash = form_hash(form, names);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t number;

    while ((number = mw_hash_index_next(&encoder->form_index, &probe)) != 0)
        if (is_form(encoder, number, form, names))
            return number;
    if (!take_status(encoder, encoder->status) ||
        !take_status(encoder, add_form(encoder, form, names)))
        return 0;
    mw_hash_index_add(&encoder->form_index, hash, encoder->form_count);
    return encoder->form_count++;
}

uint32_t mw_heap_encoder_line(mw_heap_encoder *encoder, uint32_t file, uint32_t function,
                              int32_t line)
{
    mw_bytes_difference(&encoder->lines[0], file, encoder->last_file);
    mw_bytes_difference(&encoder->lines[1], function, encoder->last_function);
    mw_bytes_difference(&encoder->lines[2], (uint64_t)(int64_t)line, encoder->last_line);
    encoder->last_file = file;
    encoder->last_function = function;
    encoder->last_line = (uint64_t)(int64_t)line;
    encoder->lines_here++;
    return (uint32_t)++encoder->line_count;
}

/* ── records ─────────────────────────────────────────────────────────────────────── */

static void put_bytes(mw_heap_encoder *encoder, mw_bytes *bytes)
{
    take_status(encoder, bytes->status);
    mw_bytes_put(&encoder->payload, bytes->bytes, bytes->length);
    mw_bytes_clear(bytes);
}

static void put_names(mw_heap_encoder *encoder)
{
    const mw_string_pool *names = &encoder->names;
    mw_bytes *payload = &encoder->payload;

    mw_bytes_varint(payload, names->count - encoder->written_names);
    for (uint32_t i = encoder->written_names; i < names->count; i++)
        mw_bytes_varint(payload, mw_string_pool_length(names, i));
    for (uint32_t i = encoder->written_names; i < names->count; i++)
        mw_bytes_put(payload, mw_string_pool_bytes(names, i), mw_string_pool_length(names, i));
    encoder->written_names = names->count;
}

static uint64_t form_number(const mw_heap_form *form, int column)
{
    const uint64_t numbers[MW_HEAP_FORM_COLUMNS] = {form->type, (uint64_t)form->text,
                                                    (uint64_t)form->edges, form->name_count};

    return numbers[column];
}

static void put_forms(mw_heap_encoder *encoder)
{
    mw_bytes *payload = &encoder->payload;

    mw_bytes_varint(payload, encoder->form_count - encoder->written_forms);
    for (int column = 0; column < MW_HEAP_FORM_COLUMNS; column++)
        for (uint32_t i = encoder->written_forms; i < encoder->form_count; i++)
            mw_bytes_varint(payload, form_number(&encoder->forms[i], column));
    for (uint32_t i = encoder->written_form_names; i < encoder->form_name_count; i++)
        mw_bytes_varint(payload, encoder->form_names[i]);
    encoder->written_forms = encoder->form_count;
    encoder->written_form_names = encoder->form_name_count;
}

static void hand_on(mw_heap_encoder *encoder, mw_record_type type)
{
    take_status(encoder, encoder->payload.status);
    if (encoder->status == MW_OK)
        take_status(encoder, encoder->emit(encoder->context, type, &encoder->payload));
    mw_bytes_clear(&encoder->payload);
}

static void end_record(mw_heap_encoder *encoder)
{
    mw_bytes *payload = &encoder->payload;

    mw_bytes_varint(payload, encoder->has_begun ? 0 : MW_HEAP_ANEW);
    encoder->has_begun = true;
    put_names(encoder);
    put_forms(encoder);
    mw_bytes_varint(payload, encoder->lines_here);
    for (int i = 0; i < MW_HEAP_LINE_COLUMNS; i++)
        put_bytes(encoder, &encoder->lines[i]);
    mw_bytes_varint(payload, encoder->rows);
    for (int i = 0; i < MW_HEAP_NODE_COLUMNS; i++)
        put_bytes(encoder, &encoder->columns[i]);
    mw_bytes_varint(payload, encoder->counts_here);
    put_bytes(encoder, &encoder->counts);
    mw_bytes_varint(payload, encoder->texts_here);
    put_bytes(encoder, &encoder->text_lengths);
    put_bytes(encoder, &encoder->texts);
    mw_bytes_varint(payload, encoder->edges_here);
    put_bytes(encoder, &encoder->edges);
    encoder->lines_here = encoder->rows = encoder->edges_here = 0;
    encoder->counts_here = encoder->texts_here = 0;
    hand_on(encoder, MW_RECORD_HEAP_NODES);
}

/* Between two nodes or two edges, since both may be cut there. */
static void end_full_record(mw_heap_encoder *encoder)
{
    size_t length = encoder->edges.length + encoder->texts.length + encoder->text_lengths.length;

    for (int i = 0; i < MW_HEAP_NODE_COLUMNS; i++)
        length += encoder->columns[i].length;
    if (length >= encoder->record_bytes)
        end_record(encoder);
}

/* ── nodes and edges ─────────────────────────────────────────────────────────────── */

static void put_text(mw_heap_encoder *encoder, const mw_heap_row *row)
{
    switch (encoder->forms[row->form].text) {
    case MW_HEAP_TEXT_NONE:
        break;
    case MW_HEAP_TEXT_COUNT:
        mw_bytes_varint(&encoder->counts, row->count);
        encoder->counts_here++;
        break;
    default:
        mw_bytes_varint(&encoder->text_lengths, row->text_length);
        mw_bytes_put(&encoder->texts, row->text, row->text_length);
        encoder->texts_here++;
    }
}

void mw_heap_encoder_node(mw_heap_encoder *encoder, const mw_heap_row *row)
{
    mw_bytes *columns = encoder->columns;

    if (row->form == 0 || encoder->pending_edges != 0)
        take_status(encoder, MW_BAD_INPUT);
    if (encoder->status != MW_OK)
        return;
    end_full_record(encoder);
    mw_bytes_varint(&columns[COLUMN_FORM], row->form);
    mw_bytes_difference(&columns[COLUMN_ADDRESS], row->address, encoder->address);
    mw_bytes_varint(&columns[COLUMN_SIZE], row->size_bytes);
    mw_bytes_varint(&columns[COLUMN_REFERENCES],
                    row->references == MW_GRAPH_IMMORTAL ? 0 : (uint64_t)row->references + 1);
    mw_bytes_varint(&columns[COLUMN_DEGREE], row->degree);
    mw_bytes_varint(&columns[COLUMN_LINE], row->line);
    put_text(encoder, row);
    encoder->address = row->address;
    encoder->last_form = row->form;
    encoder->pending_edges = row->degree;
    encoder->edge_place = 0;
    encoder->rows++;
    encoder->node_count++;
}

void mw_heap_encoder_edge(mw_heap_encoder *encoder, uint32_t target)
{
    mw_heap_former *former = &encoder->formers[encoder->last_form];
    uint32_t place = encoder->edge_place;
    uint32_t base;

    if (encoder->pending_edges == 0)
        take_status(encoder, MW_BAD_INPUT);
    if (encoder->status != MW_OK)
        return;
    if (place % MW_HEAP_FORMER_EDGES == 0)
        end_full_record(encoder);
    base = mw_heap_edge_base(former, encoder->forms[encoder->last_form].edges,
                             (uint32_t)encoder->node_count, place, encoder->edge_before);
    mw_bytes_difference(&encoder->edges, target, base);
    if (place < MW_HEAP_FORMER_EDGES)
        former->edges[place] = target;
    encoder->edge_before[1] = encoder->edge_before[0];
    encoder->edge_before[0] = target;
    encoder->edge_place++;
    encoder->pending_edges--;
    encoder->edges_here++;
    encoder->edge_count++;
}

/* ── the end ─────────────────────────────────────────────────────────────────────── */

static void put_types(mw_heap_encoder *encoder, const mw_heap_summary *summary)
{
    mw_bytes *payload = &encoder->payload;

    mw_bytes_varint(payload, summary->type_count);
    for (uint32_t i = 0; i < summary->type_count; i++)
        mw_bytes_varint(payload, summary->types[i].name);
    for (uint32_t i = 0; i < summary->type_count; i++)
        mw_bytes_varint(payload, summary->types[i].short_name);
    for (uint32_t i = 0; i < summary->type_count; i++)
        mw_bytes_varint(payload, summary->types[i].node);
}

static void put_threads(mw_heap_encoder *encoder, const mw_heap_summary *summary)
{
    mw_bytes_varint(&encoder->payload, summary->thread_count);
    for (uint32_t i = 0; i < summary->thread_count; i++)
        mw_bytes_varint(&encoder->payload, summary->threads[i].ident);
    for (uint32_t i = 0; i < summary->thread_count; i++)
        mw_bytes_varint(&encoder->payload, summary->threads[i].name);
}

static uint64_t root_number(const mw_heap_root_row *root, int column)
{
    const uint64_t numbers[MW_HEAP_ROOT_COLUMNS] = {root->node, (uint64_t)root->kind, root->name,
                                                    root->thread};

    return numbers[column];
}

static void put_roots(mw_heap_encoder *encoder, const mw_heap_summary *summary)
{
    mw_bytes *payload = &encoder->payload;

    mw_bytes_varint(payload, summary->root_count);
    for (int column = 0; column < MW_HEAP_ROOT_COLUMNS; column++) {
        uint64_t above = 0;

        for (uint32_t i = 0; i < summary->root_count; i++) {
            uint64_t number = root_number(&summary->roots[i], column);

            mw_bytes_difference(payload, number, above);
            above = number;
        }
    }
}

mw_status mw_heap_encoder_finish(mw_heap_encoder *encoder, const mw_heap_summary *summary)
{
    mw_bytes *payload = &encoder->payload;
    uint64_t above = 0;

    if (encoder->pending_edges != 0)
        take_status(encoder, MW_BAD_INPUT);
    end_record(encoder);
    mw_bytes_varint(payload, MW_HEAP_NUMBERS);
    for (int i = 0; i < MW_HEAP_NUMBERS; i++)
        mw_bytes_varint(payload, i == MW_HEAP_NODES   ? encoder->node_count
                                 : i == MW_HEAP_EDGES ? encoder->edge_count
                                                      : summary->numbers[i]);
    put_names(encoder);
    put_types(encoder, summary);
    put_threads(encoder, summary);
    put_roots(encoder, summary);
    mw_bytes_varint(payload, summary->known_count);
    for (uint32_t i = 0; i < summary->known_count; i++) {
        mw_bytes_difference(payload, summary->known[i], above);
        above = summary->known[i];
    }
    hand_on(encoder, MW_RECORD_HEAP);
    return encoder->status;
}
