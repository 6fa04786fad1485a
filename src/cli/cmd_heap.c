/* SPDX-License-Identifier: MIT
 *
 * `memwhy heap`: what holds the memory of a process, by a heap that a capture holds: suspects,
 * tables, and what changed since another heap.
 */
#include "cli/command.h"
#include "cli/option_table.h"
#include "cli/output.h"
#include "cli/subject_heap.h"
#include "heap/heap_answers.h"
#include "heap/heap_diff.h"
#include "heap/heap_text.h"

#include <stdio.h>
#include <string.h>

enum {
    HEAPS_MAXIMUM = 1000000,
    ROWS_MAXIMUM = 1000, /* as questions have it                        */
    REPORT_ROWS = 10,    /* of each table, where nothing else was asked */
    REPORT_SUSPECTS = 5,
    TABLE_ROWS = 20, /* of the one table of --by                    */
    DIFF_ROWS = 15,
};

extern const mw_command mw_command_heap;

typedef enum by {
    BY_NOTHING,
    BY_TYPE,
    BY_MODULE,
    BY_LINE,
    BY_OBJECT,
    BY_SUSPECT,
    BY_HELD,
} by;

typedef struct heap_options {
    int by;            /* its place in `by_words`, or BY_NOTHING             */
    long limit;        /* 0: unsaid                                          */
    long at;           /* 0: the last                                        */
    long since;        /* 0: unsaid                                          */
    const char *older; /* another capture, or NULL                           */
    const char *json;  /* NULL: a page for people; "-": standard output      */
    double share;      /* percent                                            */
} heap_options;

static const char *const by_words[] = {"all",    "type",    "module", "line",
                                       "object", "suspect", "held",   NULL};

static const mw_option option_rows[] = {
    {"--by", MW_OPTION_CHOICE, .offset = offsetof(heap_options, by), .choices = by_words},
    {"--limit", MW_OPTION_COUNT, .offset = offsetof(heap_options, limit), .maximum = ROWS_MAXIMUM},
    {"--at", MW_OPTION_COUNT, .offset = offsetof(heap_options, at), .maximum = HEAPS_MAXIMUM},
    {"--since", MW_OPTION_COUNT, .offset = offsetof(heap_options, since), .maximum = HEAPS_MAXIMUM},
    {"--diff", MW_OPTION_TEXT, .offset = offsetof(heap_options, older)},
    {"--share", MW_OPTION_PERCENT, .offset = offsetof(heap_options, share)},
    {"--json", MW_OPTION_TEXT, .offset = offsetof(heap_options, json)},
};

static const mw_option_table option_table = {
    .command = "heap",
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
    .operand_maximum = 1,
};

static uint32_t permille(const heap_options *options)
{
    return (uint32_t)(options->share * 10 + 0.5);
}

static uint32_t limit_or(const heap_options *options, uint32_t otherwise)
{
    return options->limit != 0 ? (uint32_t)options->limit : otherwise;
}

static bool is_difference(const heap_options *options)
{
    return options->older != NULL || options->since != 0;
}

static int check_options(const heap_options *options, const char *path)
{
    const char *const inputs[] = {path, options->older, NULL};
    mw_error error;

    if (path == NULL)
        return mw_command_fail("heap wants a capture; see \"memwhy help heap\".");
    if (options->older != NULL && options->since != 0)
        return mw_command_fail("--diff and --since both name the older heap; leave one out.");
    if (permille(options) < 1 || permille(options) > 1000)
        return mw_command_fail("--share wants a percentage from 0.1%% to 100%%.");
    if (is_difference(options) && options->by > BY_TYPE && options->by != BY_LINE)
        return mw_command_fail("differences are by type and by line; leave out --by %s.",
                               by_words[options->by]);
    if (options->json != NULL && mw_output_spares("--json", options->json, inputs, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

static mw_status fail_memory(mw_status status, mw_error *reterr)
{
    if (status == MW_UNSUPPORTED)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "this heap does not say which lines allocated what: memwhy was not "
                            "tracing when it was taken.");
    return mw_error_set(reterr, status, "there is not enough memory for looking at this heap.");
}

/* ── one heap ────────────────────────────────────────────────────────────────────── */

static mw_status write_suspects(mw_subject_heap *subject, const heap_options *options,
                                const mw_heap_look *look, mw_sink *sink)
{
    mw_suspects suspects;
    mw_status status = mw_heap_suspects_init(&suspects, &subject->study, permille(options));

    for (uint32_t i = 0; status == MW_OK && i < suspects.count && i < limit_or(options, TABLE_ROWS);
         i++) {
        mw_sink_text(sink, i != 0 ? "\n" : "");
        status = mw_heap_suspect_write(&suspects.items[i], i + 1, &subject->study, look, sink);
    }
    if (status == MW_OK && suspects.count == 0)
        mw_sink_format(sink,
                       "Nobody is suspected: no object retains %.4g%% of the heap, nor do a few "
                       "together.\n",
                       options->share);
    mw_suspects_done(&suspects);
    return status;
}

static mw_status write_report(mw_subject_heap *subject, const heap_options *options,
                              const mw_heap_look *look, mw_sink *sink)
{
    char lead[80];
    mw_heap_report report = {.lead = lead,
                             .program = *subject->program != '\0' ? subject->program : NULL,
                             .share_permille = permille(options),
                             .suspect_limit = limit_or(options, REPORT_SUSPECTS),
                             .row_limit = limit_or(options, REPORT_ROWS)};

    snprintf(lead, sizeof lead, "The heap %s", subject->moment);
    return mw_heap_report_write(&report, &subject->study, look, sink);
}

static mw_status write_text(mw_subject_heap *subject, const heap_options *options, mw_sink *sink)
{
    static const mw_heap_by tables[] = {
        [BY_TYPE] = MW_HEAP_BY_TYPE,
        [BY_MODULE] = MW_HEAP_BY_MODULE,
        [BY_LINE] = MW_HEAP_BY_LINE,
        [BY_HELD] = MW_HEAP_BY_HELD,
    };
    mw_heap_look look = mw_subject_heap_look(subject);
    uint32_t limit = limit_or(options, TABLE_ROWS);

    if (options->by == BY_NOTHING)
        return write_report(subject, options, &look, sink);
    if (options->by == BY_SUSPECT)
        return write_suspects(subject, options, &look, sink);
    if (options->by == BY_OBJECT)
        return mw_heap_top_write(limit, &subject->study, &look, sink);
    return mw_heap_table_write(tables[options->by], limit, &subject->study, &look, sink);
}

/* ── as JSON ─────────────────────────────────────────────────────────────────────── */

/* A question, and the `--by` that asks for it too. */
typedef struct json_part {
    const char *question;
    const char *rows_name;
    by by;
} json_part;

static const json_part json_parts[] = {
    {"suspects", "suspects", BY_SUSPECT}, {"types", "types", BY_TYPE},
    {"modules", "modules", BY_MODULE},    {"sites", "sites", BY_LINE},
    {"top", "objects", BY_OBJECT},        {"held", "held", BY_HELD},
};

static void put_subject(const mw_subject_heap *subject, mw_heap_json *json)
{
    const mw_capture_heap_facts *facts =
        mw_capture_heap_facts_of(subject->capture, subject->number - 1);

    mw_heap_json_text(json, "capture", subject->path);
    mw_heap_json_number(json, "heap", subject->number);
    mw_heap_json_number(json, "heaps", subject->count);
    mw_heap_json_number(json, "time_ns", facts->time_ns);
}

/* An answer as an object of its own. */
static mw_status put_nested(mw_subject_heap *subject, const char *name, uint64_t limit,
                            mw_heap_json *json)
{
    mw_heap_question question = {.arguments = {limit}};
    mw_status status;

    strncpy(question.name, name, sizeof question.name - 1);
    mw_heap_json_open(json, name, "{");
    status = mw_heap_answer_into(&subject->study, &question, "rows", json);
    mw_heap_json_close(json, "}");
    return status;
}

static mw_status put_part(mw_subject_heap *subject, const heap_options *options,
                          const json_part *part, mw_heap_json *json)
{
    mw_heap_question question = {
        .arguments = {limit_or(options, options->by == BY_NOTHING ? REPORT_ROWS : 0)}};

    if (options->by != BY_NOTHING && options->by != (int)part->by)
        return MW_OK;
    if (part->by == BY_LINE && options->by == BY_NOTHING && !subject->heap.view.facts.knows_lines)
        return MW_OK;
    if (part->by == BY_OBJECT && question.arguments[0] == 0)
        question.arguments[0] = ROWS_MAXIMUM;
    if (part->by == BY_SUSPECT) {
        question.arguments[0] = permille(options);
        question.arguments[1] = limit_or(options, 0);
    }
    strncpy(question.name, part->question, sizeof question.name - 1);
    return mw_heap_answer_into(&subject->study, &question, part->rows_name, json);
}

static mw_status write_json(mw_subject_heap *subject, const heap_options *options, mw_sink *sink)
{
    mw_heap_json json = {.sink = sink};
    mw_status status;

    mw_heap_json_open(&json, NULL, "{");
    put_subject(subject, &json);
    status = put_nested(subject, "summary", 0, &json);
    for (size_t i = 0; status == MW_OK && i < sizeof json_parts / sizeof *json_parts; i++)
        status = put_part(subject, options, &json_parts[i], &json);
    if (status == MW_OK && options->by == BY_NOTHING)
        status = put_nested(subject, "garbage", REPORT_ROWS, &json);
    mw_heap_json_close(&json, "}");
    mw_sink_text(sink, "\n");
    return status;
}

/* ── two heaps ───────────────────────────────────────────────────────────────────── */

/* "memwhy: the heap after 2m03s has 12.3 MiB more than the one after 1m00s: 30.4 MiB in 90,000
 * objects.  What grew most is app.Row, by 9.2 MiB in +30,000 objects." */
static void write_growth(const mw_subject_heap *subject, const mw_subject_heap *older,
                         const mw_heap_diff *types, mw_heap_writer *writer)
{
    uint64_t now = mw_heap_study_bytes(&subject->study);
    uint64_t before = mw_heap_study_bytes(&older->study);
    const mw_heap_change *most = mw_heap_diff_growth(types);
    mw_sink *line = mw_heap_writer_line(writer);

    mw_sink_format(line, "memwhy: the heap %s has ", subject->moment);
    mw_sink_format(line, "%s %s than ",
                   mw_size_format(now > before ? now - before : before - now).text,
                   now >= before ? "more" : "less");
    mw_sink_text(line, strcmp(subject->path, older->path) != 0 ? older->path : "the one");
    mw_sink_format(line, " %s: %s in ", older->moment, mw_size_format(now).text);
    mw_sink_format(line, "%s objects.",
                   mw_count_format(subject->heap.view.facts.object_count).text);
    if (most != NULL) {
        mw_sink_text(line, " What grew most is ");
        mw_sink_bytes(line, mw_string_pool_bytes(&types->names, most->name),
                      mw_string_pool_length(&types->names, most->name));
        mw_sink_format(line, ", by %s in ",
                       mw_size_format(most->now.bytes - most->before.bytes).text);
        mw_sink_format(line, "%s objects.",
                       mw_count_change_format(most->before.objects, most->now.objects).text);
    }
    mw_heap_writer_end(writer, 0, 0, MW_STYLE_STRONG);
    mw_heap_writer_blank(writer);
}

static mw_status write_growth_text(mw_subject_heap *subject, const mw_subject_heap *older,
                                   const mw_heap_diff *diff, mw_sink *sink)
{
    mw_heap_look look = mw_subject_heap_look(subject);
    mw_heap_writer writer;

    mw_heap_writer_init(&writer, &subject->study, &look, sink);
    write_growth(subject, older, diff, &writer);
    return mw_heap_writer_done(&writer);
}

/* One table of a difference, as text or as a member of [json]. */
static mw_status write_change(mw_subject_heap *subject, mw_subject_heap *older,
                              const heap_options *options, mw_heap_by key, mw_heap_json *json,
                              mw_sink *sink)
{
    mw_heap_look look = mw_subject_heap_look(subject);
    uint32_t limit = limit_or(options, options->json != NULL ? UINT32_MAX : DIFF_ROWS);
    mw_heap_diff diff;
    mw_status status = mw_heap_diff_init(&diff, &(mw_heap_side){&older->study, &older->places},
                                         &(mw_heap_side){&subject->study, &subject->places}, key);

    if (status != MW_OK)
        return status;
    if (options->json != NULL) {
        mw_heap_json_name(json, key == MW_HEAP_BY_LINE ? "sites" : "types");
        mw_heap_diff_write_json(&diff, limit, sink);
    } else {
        if (key == MW_HEAP_BY_TYPE)
            status = write_growth_text(subject, older, &diff, sink);
        else if (options->by == BY_NOTHING)
            mw_sink_text(sink, "\n");
        mw_heap_diff_write(&diff, limit, &look, sink);
    }
    mw_heap_diff_done(&diff);
    return status;
}

static void put_older(const mw_subject_heap *subject, const mw_subject_heap *older,
                      mw_heap_json *json)
{
    put_subject(subject, json);
    mw_heap_json_open(json, "older", "{");
    put_subject(older, json);
    mw_heap_json_close(json, "}");
}

static mw_status write_difference(mw_subject_heap *subject, mw_subject_heap *older,
                                  const heap_options *options, mw_sink *sink)
{
    mw_heap_json json = {.sink = sink};
    bool knows_lines = subject->heap.view.facts.knows_lines && older->heap.view.facts.knows_lines;
    mw_status status = MW_OK;

    if (options->json != NULL) {
        mw_heap_json_open(&json, NULL, "{");
        put_older(subject, older, &json);
    }
    if (options->by != BY_LINE)
        status = write_change(subject, older, options, MW_HEAP_BY_TYPE, &json, sink);
    if (status == MW_OK && (options->by == BY_LINE || (options->by == BY_NOTHING && knows_lines)))
        status = write_change(subject, older, options, MW_HEAP_BY_LINE, &json, sink);
    if (options->json != NULL) {
        mw_heap_json_close(&json, "}");
        mw_sink_text(sink, "\n");
    }
    return status;
}

/* ── the command ─────────────────────────────────────────────────────────────────── */

static mw_status write_all(mw_subject_heap *subject, mw_subject_heap *older,
                           const heap_options *options, mw_error *reterr)
{
    static mw_output output;
    mw_status status = mw_output_open(&output, options->json != NULL ? options->json : "-", reterr);

    if (status != MW_OK)
        return status;
    if (older != NULL)
        status = write_difference(subject, older, options, &output.sink);
    else if (options->json != NULL)
        status = write_json(subject, options, &output.sink);
    else
        status = write_text(subject, options, &output.sink);
    /* What the sink refused, the output explains better. */
    if (status == MW_OK || status == MW_IO)
        return mw_output_finish(&output, reterr);
    mw_output_abandon(&output);
    return fail_memory(status, reterr);
}

static mw_status look_at(const heap_options *options, const char *path, mw_error *reterr)
{
    static mw_subject_heap subject, older;
    mw_alloc *alloc = mw_alloc_system();
    mw_status status = mw_subject_heap_open(&subject, path, (uint32_t)options->at, alloc, reterr);

    if (status == MW_OK && is_difference(options))
        status = mw_subject_heap_open(&older, options->older != NULL ? options->older : path,
                                      (uint32_t)options->since, alloc, reterr);
    if (status == MW_OK)
        status = write_all(&subject, is_difference(options) ? &older : NULL, options, reterr);
    mw_subject_heap_close(&older);
    mw_subject_heap_close(&subject);
    return status;
}

static int heap_run(int argc, char **argv)
{
    heap_options options = {.share = MW_HEAP_SHARE_PERMILLE / 10.0};
    const char *path;
    bool wants_help;
    mw_error error = {0};
    int usage;

    (void)argc;
    usage = mw_option_table_parse(&option_table, argv, &options, &path, &wants_help);
    if (usage != MW_EXIT_DONE)
        return usage;
    if (wants_help)
        return mw_command_help(&mw_command_heap);
    usage = check_options(&options, path);
    if (usage != MW_EXIT_DONE)
        return usage;
    if (look_at(&options, path, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

const mw_command mw_command_heap = {
    .name = "heap",
    .usage = "[OPTIONS] CAPTURE",
    .summary = "say who keeps the memory of a captured process alive",
    .details =
        "  --by KEY         one table: type, module, line, object, suspect, or held (what C\n"
        "                   code holds); all (the default) is the report\n"
        "  --share P%       who retains that much of the heap is suspected (5%)\n"
        "  --limit N        how many rows\n"
        "  --at N           which heap, from 1, if the capture holds several (the last)\n"
        "  --since N        what changed since heap N of the same capture\n"
        "  --diff OLDER     what changed since the last heap of another capture\n"
        "  --json FILE      the same for programs; - is standard output\n"
        "\n"
        "Wants a heap, as \"memwhy run --heap-at-exit -o CAPTURE\" makes it.\n"
        "\"memwhy why\" asks about one object of it.\n",
    .run = heap_run,
};
