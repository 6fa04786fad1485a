/* SPDX-License-Identifier: MIT
 *
 * `memwhy why`: why an object of a captured heap is alive, and what it keeps alive.
 */
#include "cli/command.h"
#include "cli/option_table.h"
#include "cli/output.h"
#include "cli/subject_heap.h"
#include "heap/heap_answers.h"
#include "heap/heap_find.h"
#include "heap/heap_text.h"

#include <stdio.h>
#include <string.h>

enum { HEAPS_MAXIMUM = 1000000, PATHS_MAXIMUM = 1000, PATHS_DEFAULT = 3 };

extern const mw_command mw_command_why;

typedef struct why_options {
    long paths;
    long limit;       /* objects of a type                              */
    long at;          /* which heap; 0: the last                        */
    const char *json; /* NULL: text for people; "-": standard output    */
} why_options;

static const mw_option option_rows[] = {
    {"--paths", MW_OPTION_COUNT, .offset = offsetof(why_options, paths), .maximum = PATHS_MAXIMUM},
    {"--limit", MW_OPTION_COUNT, .offset = offsetof(why_options, limit),
     .maximum = MW_HEAP_FIND_MAXIMUM},
    {"--at", MW_OPTION_COUNT, .offset = offsetof(why_options, at), .maximum = HEAPS_MAXIMUM},
    {"--json", MW_OPTION_TEXT, .offset = offsetof(why_options, json)},
};

static const mw_option_table option_table = {
    .command = "why",
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
    .operand_maximum = 2,
};

/* ── writing ─────────────────────────────────────────────────────────────────────── */

/* "app.Row: 30,000 objects; this one retains most." */
static mw_status write_lead(mw_subject_heap *subject, const mw_heap_found *found,
                            const mw_heap_look *look, mw_sink *sink)
{
    const mw_heap_view *view = &subject->heap.view;
    mw_heap_writer writer;

    if (!found->is_of_type || found->total == 1)
        return MW_OK;
    mw_heap_writer_init(&writer, &subject->study, look, sink);
    view->words->write_type(view, view->graph->nodes[found->nodes[0]].type,
                            mw_heap_writer_line(&writer));
    mw_sink_format(mw_heap_writer_line(&writer), ": %s objects; ",
                   mw_count_format(found->total).text);
    if (found->count == 1)
        mw_sink_text(mw_heap_writer_line(&writer), "this one retains most.");
    else
        mw_sink_format(mw_heap_writer_line(&writer), "these %u retain most.", found->count);
    mw_heap_writer_end(&writer, 0, 0, MW_STYLE_PLAIN);
    mw_heap_writer_blank(&writer);
    return mw_heap_writer_done(&writer);
}

static mw_status write_text(mw_subject_heap *subject, const why_options *options,
                            const mw_heap_found *found, mw_sink *sink)
{
    mw_heap_look look = mw_subject_heap_look(subject);
    mw_status status = write_lead(subject, found, &look, sink);

    for (uint32_t i = 0; status == MW_OK && i < found->count; i++) {
        mw_sink_text(sink, i != 0 ? "\n" : "");
        status = mw_heap_why_write(found->nodes[i], (uint32_t)options->paths, &subject->study,
                                   &look, sink);
    }
    return status;
}

static mw_status write_json(mw_subject_heap *subject, const why_options *options,
                            const mw_heap_found *found, mw_sink *sink)
{
    mw_heap_json json = {.sink = sink};
    mw_status status = MW_OK;

    mw_heap_json_open(&json, NULL, "{");
    mw_heap_json_text(&json, "capture", subject->path);
    mw_heap_json_number(&json, "heap", subject->number);
    mw_heap_json_number(&json, "found", found->total);
    mw_heap_json_open(&json, "objects", "[");
    for (uint32_t i = 0; status == MW_OK && i < found->count; i++) {
        mw_heap_question question = {.name = "object",
                                     .arguments = {0, (uint64_t)options->paths, found->nodes[i]}};

        mw_heap_json_open(&json, NULL, "{");
        status = mw_heap_answer_into(&subject->study, &question, "rows", &json);
        mw_heap_json_close(&json, "}");
    }
    mw_heap_json_close(&json, "]");
    mw_heap_json_close(&json, "}");
    mw_sink_text(sink, "\n");
    return status;
}

static mw_status write_all(mw_subject_heap *subject, const why_options *options,
                           const mw_heap_found *found, mw_error *reterr)
{
    static mw_output output;
    mw_status status = mw_output_open(&output, options->json != NULL ? options->json : "-", reterr);

    if (status != MW_OK)
        return status;
    if (options->json != NULL)
        status = write_json(subject, options, found, &output.sink);
    else
        status = write_text(subject, options, found, &output.sink);
    /* What the sink refused, the output explains better. */
    if (status == MW_OK || status == MW_IO)
        return mw_output_finish(&output, reterr);
    mw_output_abandon(&output);
    return mw_error_set(reterr, status, "there is not enough memory for looking at this heap.");
}

/* ── the command ─────────────────────────────────────────────────────────────────── */

static mw_status look_at(const why_options *options, const char *const operands[2],
                         mw_error *reterr)
{
    static mw_subject_heap subject;
    static mw_heap_found found;
    mw_status status = mw_subject_heap_open(&subject, operands[0], (uint32_t)options->at,
                                            mw_alloc_system(), reterr);

    if (status == MW_OK)
        status = mw_heap_find_what(&found, &subject.study, operands[1], (uint32_t)options->limit,
                                   reterr);
    if (status == MW_OK)
        status = write_all(&subject, options, &found, reterr);
    mw_subject_heap_close(&subject);
    return status;
}

static int check_options(const why_options *options, const char *const operands[2])
{
    const char *const inputs[] = {operands[0], NULL};
    mw_error error;

    if (operands[0] == NULL)
        return mw_command_fail("why wants a capture; see \"memwhy help why\".");
    if (operands[1] == NULL)
        return mw_command_fail("why wants to know which object: an address, a way as \"memwhy "
                               "heap\" prints it, or a type; see \"memwhy help why\".");
    if (options->json != NULL && mw_output_spares("--json", options->json, inputs, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

static int why_run(int argc, char **argv)
{
    why_options options = {.paths = PATHS_DEFAULT, .limit = 1};
    const char *operands[2];
    bool wants_help;
    mw_error error = {0};
    int usage;

    (void)argc;
    usage = mw_option_table_parse(&option_table, argv, &options, operands, &wants_help);
    if (usage != MW_EXIT_DONE)
        return usage;
    if (wants_help)
        return mw_command_help(&mw_command_why);
    usage = check_options(&options, operands);
    if (usage != MW_EXIT_DONE)
        return usage;
    if (look_at(&options, operands, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

const mw_command mw_command_why = {
    .name = "why",
    .usage = "[OPTIONS] CAPTURE WHAT",
    .summary = "say why an object of a captured process is alive",
    .details =
        "  WHAT             an address or id (0x… or decimal), a way as reports print it\n"
        "                   (\"sys.modules['app']._cache\"), or a type's name (app.Row, Row):\n"
        "                   the one that retains most\n"
        "  --limit N        of a type, the N that retain most (1)\n"
        "  --paths N        how many ways from roots to it (3)\n"
        "  --at N           which heap, from 1, if the capture holds several (the last)\n"
        "  --json FILE      the same for programs; - is standard output\n"
        "\n"
        "Wants a heap, as \"memwhy run --heap-at-exit -o CAPTURE\" makes it.\n",
    .run = why_run,
};
