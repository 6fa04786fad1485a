/* SPDX-License-Identifier: MIT */
#include "pyext/complaint.h"

#include "render/render.h"

#include <string.h>
#include <unistd.h>

void mw_complaint_init(mw_complaint *complaint)
{
    *complaint = (mw_complaint){0};
    complaint->has_standard_error = fstat(STDERR_FILENO, &complaint->standard_error) == 0;
}

static void say(const mw_complaint *complaint, const char *text)
{
    struct stat now;

    if (!complaint->has_standard_error || fstat(STDERR_FILENO, &now) != 0 ||
        now.st_dev != complaint->standard_error.st_dev ||
        now.st_ino != complaint->standard_error.st_ino)
        return;
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody is listening */
}

void mw_complaint_make(mw_complaint *complaint, const char *what, const char *why)
{
    mw_buffer text;

    if (complaint->is_made)
        return;
    complaint->is_made = true;
    mw_buffer_init(&text, mw_alloc_system());
    mw_sink_format(&text.sink, "memwhy: %s: ", what);
    mw_sink_clean(&text.sink, why, strlen(why), UINT32_MAX);
    mw_sink_text(&text.sink, "\n");
    say(complaint, text.bytes == NULL ? "" : text.bytes);
    mw_buffer_done(&text);
}
