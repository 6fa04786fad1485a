/* SPDX-License-Identifier: MIT */
#include "cli/subject_heap.h"

#include "base/quantity.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mw_status choose(mw_subject_heap *subject, uint32_t number, mw_error *reterr)
{
    subject->count = mw_capture_heap_count(subject->capture);
    if (subject->count == 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "\"%.100s\" holds no heap; \"memwhy run --heap-at-exit -o FILE …\" "
                            "makes a capture that does.",
                            subject->path);
    if (number > subject->count)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "\"%.100s\" has no heap %u: it holds %u, and 1 is the first.",
                            subject->path, number, subject->count);
    subject->number = number != 0 ? number : subject->count;
    return MW_OK;
}

static void say_moment(mw_subject_heap *subject)
{
    uint64_t time_ns = mw_capture_heap_facts_of(subject->capture, subject->number - 1)->time_ns;
    char *text = subject->moment;
    int used = snprintf(text, sizeof subject->moment, "after %s", mw_duration_format(time_ns).text);

    if (subject->count > 1)
        snprintf(text + used, sizeof subject->moment - (size_t)used, " (%u of %u)", subject->number,
                 subject->count);
}

static void say_program(mw_subject_heap *subject, const mw_program *program)
{
    int used;

    if (*program->name == '\0')
        return;
    used = snprintf(subject->program, sizeof subject->program, "%.120s%s%.40s", program->name,
                    *program->python != '\0' ? ", Python " : "", program->python);
    if (program->pid != 0)
        used += snprintf(subject->program + used, sizeof subject->program - (size_t)used,
                         ", process %lld", (long long)program->pid);
    snprintf(subject->program + used, sizeof subject->program - (size_t)used, ".");
}

static mw_status analyse(mw_subject_heap *subject, mw_alloc *alloc, mw_error *reterr)
{
    mw_status status =
        mw_captured_heap_init(&subject->heap, subject->capture, subject->number - 1, alloc, reterr);

    if (status != MW_OK)
        return status;
    status = mw_heap_study_init(&subject->study, &subject->heap.view, alloc);
    if (status == MW_OK)
        status = mw_heap_study_lines(&subject->study);
    if (status == MW_OK || status == MW_UNSUPPORTED)
        return MW_OK;
    return mw_error_set(reterr, status, "there is not enough memory for looking at this heap.");
}

mw_status mw_subject_heap_open(mw_subject_heap *subject, const char *path, uint32_t number,
                               mw_alloc *alloc, mw_error *reterr)
{
    const mw_program *program;
    char what[64];
    mw_status status;

    *subject = (mw_subject_heap){.path = path};
    snprintf(what, sizeof what, "reading %.40s", path);
    mw_progress_begin(what);
    status = mw_capture_open(path, alloc, &subject->capture, reterr);
    if (status == MW_OK)
        status = choose(subject, number, reterr);
    if (status == MW_OK)
        status = analyse(subject, alloc, reterr);
    mw_progress_end();
    if (status != MW_OK) {
        mw_subject_heap_close(subject);
        return status;
    }
    program = &mw_capture_timeline(subject->capture)->program;
    subject->places = (mw_places){.program = program->program_places,
                                  .program_count = program->program_place_count,
                                  .library = program->library_places,
                                  .library_count = program->library_place_count,
                                  .directory = program->directory};
    say_moment(subject);
    say_program(subject, program);
    return MW_OK;
}

void mw_subject_heap_close(mw_subject_heap *subject)
{
    mw_heap_study_done(&subject->study);
    mw_captured_heap_done(&subject->heap);
    mw_capture_close(subject->capture);
    *subject = (mw_subject_heap){0};
}

mw_heap_look mw_subject_heap_look(const mw_subject_heap *subject)
{
    return (mw_heap_look){.places = &subject->places,
                          .width = mw_terminal_width(STDOUT_FILENO),
                          .has_colour = mw_terminal_has_colour(STDOUT_FILENO)};
}
