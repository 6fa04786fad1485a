/* SPDX-License-Identifier: MIT
 *
 * Questions to a heap that was studied, and their answers as JSON.  One table of questions,
 * for a heap in this process, for one in a forked child (what crosses the pipe is the same
 * text), and for one in a capture.
 */
#pragma once

#include "heap/heap_json.h"
#include "heap/heap_study.h"

#include "render/render.h"

enum { MW_HEAP_ARGUMENTS = 3, MW_HEAP_NAME_BYTES = 16 };

typedef struct mw_heap_question {
    char name[MW_HEAP_NAME_BYTES]; /* of a row of the table, NUL-terminated  */
    uint64_t arguments[MW_HEAP_ARGUMENTS];
} mw_heap_question;

/* Whether there is such a question. */
bool mw_heap_question_is_known(const char *name);

/* Writes the answer's members into an object that the caller opened, rows as [rows_name];
 * fails as mw_heap_answer does. */
mw_status mw_heap_answer_into(mw_heap_study *study, const mw_heap_question *question,
                              const char *rows_name, mw_heap_json *json) MW_MUST_CHECK;

/* Writes the answer to [sink], whose own status is to be looked at besides.  MW_BAD_INPUT for
 * an unknown question, MW_UNSUPPORTED for one about lines when the tracer was not
 * recording. */
mw_status mw_heap_answer(mw_heap_study *study, const mw_heap_question *question, mw_sink *sink)
    MW_MUST_CHECK;
