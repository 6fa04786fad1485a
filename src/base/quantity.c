/* SPDX-License-Identifier: MIT
 *
 * Numbers are read digit by digit: strtod would obey the locale, and take "inf", "0x10" and
 * blanks.
 */
#include "base/quantity.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* Reads "12" or "12.5" and moves [*text] behind it. */
static bool read_number(const char **text, double *ret_number)
{
    const char *at = *text;
    double number = 0;
    double place = 1;

    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    if (at[0] == '.' && at[1] >= '0' && at[1] <= '9')
        for (at++; *at >= '0' && *at <= '9'; at++)
            number += (*at - '0') * (place /= 10);
    *text = at;
    *ret_number = number;
    return true;
}

/* Moves [*text] behind the letters at its start; returns how many there are. */
static size_t read_unit(const char **text)
{
    size_t length = 0;

    while (((*text)[length] | 0x20) >= 'a' && ((*text)[length] | 0x20) <= 'z')
        length++;
    *text += length;
    return length;
}

/* Rounds to a whole number, unless it is too large for one. */
static bool round_to_integer(double number, uint64_t *ret_integer)
{
    if (number >= 18446744073709551615.0)
        return false;
    *ret_integer = (uint64_t)(number + 0.5);
    return true;
}

/* ── durations ───────────────────────────────────────────────────────────────────── */

static const struct {
    const char *name;
    double ns;
} time_units[] = {
    {"ns", 1},   {"us", 1e3},   {"ms", 1e6},        {"s", 1e9},
    {"m", 60e9}, {"h", 3600e9}, {"d", 24 * 3600e9}, {"w", 7 * 24 * 3600e9},
};

static double time_unit(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof time_units / sizeof time_units[0]; i++)
        if (strlen(time_units[i].name) == length && strncmp(time_units[i].name, name, length) == 0)
            return time_units[i].ns;
    return 0;
}

bool mw_duration_parse(const char *text, uint64_t *ret_ns)
{
    double sum = 0;

    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return true;
    }
    do {
        const char *unit;
        double number;
        double ns;

        if (!read_number(&text, &number))
            return false;
        unit = text;
        ns = time_unit(unit, read_unit(&text));
        if (ns == 0)
            return false;
        sum += number * ns;
    } while (*text != '\0');
    return round_to_integer(sum, ret_ns);
}

mw_duration_text mw_duration_format(uint64_t ns)
{
    unsigned long long seconds = ns / NS_PER_SECOND + (ns % NS_PER_SECOND >= NS_PER_SECOND / 2);
    mw_duration_text result;

    if (ns < NS_PER_SECOND * 60 - NS_PER_SECOND / 20)
        snprintf(result.text, sizeof result.text, "%.1fs", (double)ns / NS_PER_SECOND);
    else if (seconds < 3600)
        snprintf(result.text, sizeof result.text, "%llum%02llus", seconds / 60, seconds % 60);
    else if (seconds < 24 * 3600)
        snprintf(result.text, sizeof result.text, "%lluh%02llum", seconds / 3600,
                 seconds / 60 % 60);
    else
        snprintf(result.text, sizeof result.text, "%llud%02lluh", seconds / (24 * 3600),
                 seconds / 3600 % 24);
    return result;
}

/* ── sizes ───────────────────────────────────────────────────────────────────────── */

/* How many bytes a unit is; 0 if there is no such unit. */
static double size_unit(const char *name, size_t length)
{
    static const char prefixes[] = "kmgt";
    const char *prefix;
    double step = 1024;
    double bytes = 1;

    if (length == 0 || (length == 1 && (*name | 0x20) == 'b'))
        return 1;
    prefix = strchr(prefixes, *name | 0x20);
    if (length == 2 && strncasecmp(name + 1, "b", 1) == 0)
        step = 1000;
    else if (length != 1 && !(length == 3 && strncasecmp(name + 1, "ib", 2) == 0))
        return 0;
    if (prefix == NULL)
        return 0;
    for (const char *at = prefixes; at <= prefix; at++)
        bytes *= step;
    return bytes;
}

bool mw_size_parse(const char *text, uint64_t *ret_bytes)
{
    const char *unit;
    double number;
    double bytes;

    if (!read_number(&text, &number))
        return false;
    text += *text == ' ';
    unit = text;
    bytes = size_unit(unit, read_unit(&text));
    return bytes != 0 && *text == '\0' && round_to_integer(number * bytes, ret_bytes);
}

bool mw_percent_parse(const char *text, double *ret_percent)
{
    double percent;

    if (!read_number(&text, &percent))
        return false;
    text += *text == ' ';
    if (strcmp(text, "%") != 0)
        return false;
    *ret_percent = percent;
    return true;
}
