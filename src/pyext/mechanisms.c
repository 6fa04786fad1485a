/* SPDX-License-Identifier: MIT */
#include "pyext/mechanisms.h"

#include <stdlib.h>
#include <string.h>

static mw_mechanism_state mechanisms[MW_MECHANISM_COUNT] = {
    [MW_MECHANISM_MARKS] = {"marks", "finding a frame's callers in one step", .detail = ""},
    [MW_MECHANISM_POOLS] = {"pools", "serving small blocks without a second call", .detail = ""},
    [MW_MECHANISM_REUSE] = {"reuse", "lines of objects taken from free lists", .detail = ""},
    [MW_MECHANISM_DETOUR] = {"detour", "hearing of such objects without a lock", .detail = ""},
    [MW_MECHANISM_CAPI_DOMAINS] = {"capi-domains", "memory that extensions report", .detail = ""},
    [MW_MECHANISM_GRAPH] = {"graph", "looking at objects: heap(), why(), growth()", .detail = ""},
};

static bool is_named(const char *name, const char *wanted, size_t length)
{
    return strlen(name) == length && memcmp(name, wanted, length) == 0;
}

/* Disables what [wanted] names; returns whether it names anything. */
static bool disable(const char *wanted, size_t length)
{
    bool is_all = is_named("all", wanted, length);
    bool is_known = is_all || length == 0;

    for (int index = 0; index < MW_MECHANISM_COUNT; index++) {
        if (!is_all && !is_named(mechanisms[index].name, wanted, length))
            continue;
        mechanisms[index].is_disabled = true;
        mechanisms[index].detail = "switched off by MEMWHY_DISABLE";
        is_known = true;
    }
    return is_known;
}

const char *mw_mechanisms_init(void)
{
    const char *word = getenv("MEMWHY_DISABLE");
    const char *unknown = NULL;

    while (word != NULL && *word != '\0') {
        size_t length = strcspn(word, ",");

        if (!disable(word, length) && unknown == NULL)
            unknown = word;
        word += length + (word[length] == ',');
    }
    return unknown;
}

bool mw_mechanism_is_disabled(enum mw_mechanism mechanism)
{
    return mechanisms[mechanism].is_disabled;
}

void mw_mechanism_report(enum mw_mechanism mechanism, bool is_in_force, const char *detail)
{
    mechanisms[mechanism].is_in_force = is_in_force;
    if (!mechanisms[mechanism].is_disabled || is_in_force)
        mechanisms[mechanism].detail = detail;
}

const mw_mechanism_state *mw_mechanism_get(enum mw_mechanism mechanism)
{
    return &mechanisms[mechanism];
}
