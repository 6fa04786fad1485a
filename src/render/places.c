/* SPDX-License-Identifier: MIT */
#include "render/places.h"

#include "render/utf8_step.h"

#include <string.h>

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* What follows [directory] and its slash in [file], or NULL if it does not lie there. */
static const char *below(const char *directory, const char *file)
{
    size_t length = strlen(directory);

    if (length == 0 || strncmp(file, directory, length) != 0)
        return NULL;
    if (directory[length - 1] == '/')
        return file + length;
    return file[length] == '/' ? file + length + 1 : NULL;
}

/* Where packages are installed, on every layout; what follows its last occurrence. */
static const char *below_packages(const char *file)
{
    static const char *const marks[] = {"/site-packages/", "/dist-packages/"};
    const char *found = NULL;

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        for (const char *at = file; (at = strstr(at, marks[i])) != NULL;) {
            at += strlen(marks[i]);
            found = at;
        }
    return found;
}

/* The part of [file] behind the library that it lies in, or NULL if in none. */
static const char *below_library(const mw_places *places, const char *file)
{
    const char *rest = below_packages(file);

    for (size_t i = 0; rest == NULL && i < places->library_count; i++)
        rest = below(places->library[i], file);
    return rest;
}

static bool is_listed(const mw_places *places, const char *file)
{
    for (size_t i = 0; i < places->program_count; i++)
        if (strcmp(places->program[i], file) == 0 || below(places->program[i], file) != NULL)
            return true;
    return false;
}

mw_owner mw_places_owner(const mw_places *places, const char *file)
{
    if (*file == '\0' || strcmp(file, "<unknown>") == 0)
        return MW_OWNER_UNKNOWN;
    if (starts_with(file, "<frozen importlib"))
        return MW_OWNER_IMPORTER;
    if (is_listed(places, file))
        return MW_OWNER_PROGRAM;
    /* "<string>" and the like: code that a library made, unless listed. */
    if (*file == '<' && !starts_with(file, "<ipython"))
        return MW_OWNER_LIBRARY;
    return below_library(places, file) != NULL ? MW_OWNER_LIBRARY : MW_OWNER_PROGRAM;
}

static const char *shorten(const mw_places *places, const char *file)
{
    const char *rest = below_library(places, file);

    if (rest == NULL)
        rest = below(places->directory, file);
    return rest == NULL ? file : rest;
}

uint32_t mw_places_columns(const mw_places *places, const char *file)
{
    const char *shown = shorten(places, file);

    return mw_clean_columns(shown, strlen(shown));
}

uint32_t mw_places_write(const mw_places *places, const char *file, uint32_t columns, mw_sink *sink)
{
    const char *shown = shorten(places, file);
    uint32_t all = mw_clean_columns(shown, strlen(shown));

    if (all <= columns || columns == 0)
        return mw_sink_clean(sink, shown, strlen(shown), columns);
    /* The end of a path says more than its start. */
    for (; all >= columns; all--)
        shown += mw_utf8_step(shown, strlen(shown));
    mw_sink_text(sink, "…");
    return 1 + mw_sink_clean(sink, shown, strlen(shown), columns);
}
