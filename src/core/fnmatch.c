/* SPDX-License-Identifier: MIT
 *
 * Python translates a pattern into a regular expression; here it is walked directly.
 * Only `*` ever leaves a choice, and only the last `*` passed needs to be reconsidered:
 * what an earlier one could match in another way, the last can match as well.
 *
 * The one intricate part is `[seq]`, because Python's rules for it are those of the text
 * manipulation that makes the regular expression; see set_matches().
 */
#include "core/fnmatch.h"

#include <stdint.h>
#include <string.h>

/* Stands for byte b, which is no UTF-8, as NOT_UTF8 + b: above all code points. */
enum { NOT_UTF8 = 0x110000 };

typedef struct cursor {
    const unsigned char *at;
    const unsigned char *end;
} cursor;

/* What is left of the choice that the last `*` has: how much it swallows. */
typedef struct star {
    const unsigned char *pattern; /* behind the star; NULL before the first one */
    const unsigned char *name;    /* where what follows the star was last tried */
} star;

/* How many bytes the character has by its first byte; 1 if that is none. */
static unsigned sequence_length(unsigned char lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 1;
}

/* Takes one character; there is one. */
static uint32_t next_character(cursor *text)
{
    unsigned char lead = *text->at++;
    unsigned length = sequence_length(lead);
    uint32_t character;

    if (lead < 0x80)
        return lead;
    if (length == 1 || (size_t)(text->end - text->at) < length - 1)
        return NOT_UTF8 + lead;
    character = lead & (0x7fu >> length);
    for (unsigned i = 0; i < length - 1; i++) {
        if ((text->at[i] & 0xc0) != 0x80)
            return NOT_UTF8 + lead;
        character = character << 6 | (text->at[i] & 0x3fu);
    }
    text->at += length - 1;
    return character;
}

/* The `]` that ends the set whose inside starts at [set], or NULL.  A `]` that comes
 * first, or first behind `!`, is a member. */
static const unsigned char *find_set_end(cursor set)
{
    if (set.at < set.end && *set.at == '!')
        set.at++;
    if (set.at < set.end && *set.at == ']')
        set.at++;
    return set.at < set.end ? memchr(set.at, ']', (size_t)(set.end - set.at)) : NULL;
}

/* One member of a set: a character or a range of them. */
typedef struct member {
    uint32_t low;
    uint32_t high;
    bool is_range;
} member;

/* A hyphen makes a range unless it comes first or last, or right behind a range. */
static member next_member(cursor *set)
{
    member result = {.low = next_character(set)};

    result.high = result.low;
    if (set->end - set->at >= 2 && *set->at == '-') {
        set->at++;
        result.high = next_character(set);
        result.is_range = true;
    }
    return result;
}

/* Whether the set with the inside [set] has [character].
 *
 * Python drops ranges that are empty, such as `b-a`, from the text before it looks
 * whether the text starts with `!`.  So a `!` that comes first only because everything
 * before it was dropped negates the set, too, and if it was the start of a range, the
 * rest of that range, hyphen and end, are plain members. */
static bool set_matches(cursor set, uint32_t character)
{
    bool is_negated = *set.at == '!';
    bool is_first = !is_negated;
    bool found = false;

    if (is_negated)
        set.at++;
    while (set.at < set.end) {
        member next = next_member(&set);

        if (next.low > next.high)
            continue;
        if (is_first && next.low == '!') {
            is_negated = true;
            found = next.is_range && (character == '-' || character == next.high);
        } else {
            found = found || (next.low <= character && character <= next.high);
        }
        is_first = false;
    }
    return found != is_negated;
}

/* Whether the next element of the pattern, which is not a `*`, matches the next character
 * of the name; there are both.  Then both are passed. */
static bool match_one(cursor *pattern, cursor *name)
{
    cursor pattern_rest = *pattern, name_rest = *name;
    uint32_t wanted = next_character(&pattern_rest);
    uint32_t character = next_character(&name_rest);
    const unsigned char *set_end = wanted == '[' ? find_set_end(pattern_rest) : NULL;
    bool is_match;

    if (set_end != NULL) {
        is_match = set_matches((cursor){pattern_rest.at, set_end}, character);
        pattern_rest.at = set_end + 1;
    } else {
        is_match = wanted == '?' || wanted == character;
    }
    if (is_match) {
        *pattern = pattern_rest;
        *name = name_rest;
    }
    return is_match;
}

/* Lets the last star swallow one character more; there is one. */
static void swallow_one_more(star *last_star, cursor *pattern, cursor *name)
{
    name->at = last_star->name;
    next_character(name);
    last_star->name = name->at;
    pattern->at = last_star->pattern;
}

bool mw_fnmatch(const char *pattern, size_t pattern_length, const char *name, size_t name_length)
{
    const unsigned char *pattern_start = (const unsigned char *)pattern;
    const unsigned char *name_start = (const unsigned char *)name;
    cursor pattern_rest = {pattern_start, pattern_start + pattern_length};
    cursor name_rest = {name_start, name_start + name_length};
    star last_star = {0};

    for (;;) {
        while (pattern_rest.at < pattern_rest.end && *pattern_rest.at == '*')
            last_star = (star){.pattern = ++pattern_rest.at, .name = name_rest.at};
        if (last_star.pattern != NULL && last_star.pattern == pattern_rest.end)
            return true;
        /* Every other element takes one character: with none left, no other choice of
         * any star leaves more. */
        if (name_rest.at == name_rest.end)
            return pattern_rest.at == pattern_rest.end;
        if (pattern_rest.at < pattern_rest.end && match_one(&pattern_rest, &name_rest))
            continue;
        if (last_star.pattern == NULL)
            return false;
        swallow_one_more(&last_star, &pattern_rest, &name_rest);
    }
}
