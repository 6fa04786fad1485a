/* SPDX-License-Identifier: MIT */
#include "cli/subject.h"

#include "cli/terminal.h"

#include <stddef.h>
#include <stdio.h>

static const char *captured_text(const mw_line_texts *self, const char *file, int32_t line,
                                 size_t *ret_length)
{
    const mw_subject *subject =
        (const mw_subject *)((const char *)self - offsetof(mw_subject, texts));

    return mw_capture_source_line(subject->capture, file, line, ret_length);
}

mw_status mw_subject_open_any(mw_subject *subject, const char *path, mw_alloc *alloc,
                              mw_error *reterr)
{
    const mw_program *program;
    char what[64];
    mw_status status;

    *subject = (mw_subject){.path = path, .texts = {.line = captured_text}};
    snprintf(what, sizeof what, "reading %.40s", path);
    mw_progress_begin(what);
    status = mw_capture_open(path, alloc, &subject->capture, reterr);
    mw_progress_end();
    if (status != MW_OK)
        return status;
    mw_capture_source_init(&subject->lines, subject->capture, NULL);
    program = &mw_capture_timeline(subject->capture)->program;
    subject->places = (mw_places){.program = program->program_places,
                                  .program_count = program->program_place_count,
                                  .library = program->library_places,
                                  .library_count = program->library_place_count,
                                  .directory = program->directory};
    return MW_OK;
}

mw_status mw_subject_check(const mw_subject *subject, mw_error *reterr)
{
    if (mw_capture_snapshot_count(subject->capture) != 0)
        return MW_OK;
    if (mw_capture_heap_count(subject->capture) != 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "\"%.100s\" has a heap and no snapshot: \"memwhy heap\" tells of it, "
                            "\"memwhy report --html PAGE\" shows it.",
                            subject->path);
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "\"%.150s\" has no snapshot yet: there is nothing to show.", subject->path);
}

mw_status mw_subject_open(mw_subject *subject, const char *path, mw_alloc *alloc, mw_error *reterr)
{
    mw_status status = mw_subject_open_any(subject, path, alloc, reterr);

    if (status == MW_OK)
        status = mw_subject_check(subject, reterr);
    if (status != MW_OK)
        mw_subject_close(subject);
    return status;
}

void mw_subject_close(mw_subject *subject)
{
    mw_capture_close(subject->capture);
    subject->capture = NULL;
}
