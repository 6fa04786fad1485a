/* SPDX-License-Identifier: MIT */
#include "cli/format_files.h"

#include "cli/output.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

bool mw_format_has_option(const char *name)
{
    return strncmp(name, "--", 2) == 0 && mw_renderer_find(name + 2) != NULL;
}

bool mw_format_files_have(const mw_format_files *files, const char *format)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].renderer->name, format) == 0)
            return true;
    return false;
}

bool mw_format_files_take(mw_format_files *files, const char *name, const char *path)
{
    if (mw_format_files_have(files, name + 2) || files->count == MW_FORMAT_FILE_MAXIMUM)
        return false;
    files->items[files->count].renderer = mw_renderer_find(name + 2);
    files->items[files->count++].path = path;
    return true;
}

/* ── checks ──────────────────────────────────────────────────────────────────────── */

mw_status mw_format_files_spare(const mw_format_files *files, size_t count, const char *option,
                                const char *path, mw_error *reterr)
{
    for (size_t i = 0; i < count; i++)
        if (mw_output_is_same(path, files->items[i].path))
            return mw_error_set(reterr, MW_BAD_INPUT,
                                "--%s and %s cannot both be written to \"%.100s\".",
                                files->items[i].renderer->name, option, path);
    return MW_OK;
}

mw_status mw_format_files_check(const mw_format_files *files, const char *const *inputs,
                                mw_error *reterr)
{
    mw_status status = MW_OK;

    for (size_t i = 0; i < files->count && status == MW_OK; i++) {
        const char *path = files->items[i].path;
        char option[40];

        snprintf(option, sizeof option, "--%s", files->items[i].renderer->name);
        status = mw_output_spares(option, path, inputs, reterr);
        if (status == MW_OK)
            status = mw_format_files_spare(files, i, option, path, reterr);
    }
    return status;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static mw_status write_one(const mw_renderer *renderer, const char *path, const mw_view *view,
                           mw_alloc *alloc, mw_error *reterr)
{
    static mw_output output;
    mw_error of_output;
    mw_status status = mw_output_open(&output, path, reterr);

    if (status != MW_OK)
        return status;
    status = renderer->write(view, alloc, &output.sink, reterr);
    if (status == MW_OK)
        return mw_output_finish(&output, reterr);
    /* What the system said about the output says more than that it was refused. */
    if (output.error_number != 0 && mw_output_finish(&output, &of_output) != MW_OK)
        *reterr = of_output;
    else
        mw_output_abandon(&output);
    return status;
}

mw_status mw_format_files_write(const mw_format_files *files, const mw_view *view, mw_alloc *alloc,
                                mw_error *reterr)
{
    mw_status status = MW_OK;

    for (size_t i = 0; i < files->count && status == MW_OK; i++) {
        char what[64];

        snprintf(what, sizeof what, "writing %.40s", files->items[i].path);
        mw_progress_begin(what);
        status = write_one(files->items[i].renderer, files->items[i].path, view, alloc, reterr);
        mw_progress_end();
    }
    return status;
}

void mw_format_files_help(void)
{
    printf("\nFormats, to a file or with \"-\" to standard output; several at once if you like:\n");
    for (const mw_renderer *const *renderer = mw_renderers; *renderer != NULL; renderer++)
        printf("  --%s FILE%*s  %s\n", (*renderer)->name, (int)(12 - strlen((*renderer)->name)), "",
               (*renderer)->summary);
}
