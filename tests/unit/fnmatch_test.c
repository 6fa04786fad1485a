/* SPDX-License-Identifier: MIT */
#include "core/fnmatch.h"

#include "fnmatch_cases.h"
#include "testing.h"

#include <stdio.h>
#include <time.h>

TEST(fnmatch, agrees_with_python_on_every_case)
{
    for (size_t i = 0; i < sizeof fnmatch_cases / sizeof fnmatch_cases[0]; i++) {
        const fnmatch_case *c = &fnmatch_cases[i];

        if (mw_fnmatch(c->pattern, c->pattern_length, c->name, c->name_length) != c->matches) {
            print_error("case %zu: \"%s\" on \"%s\" should be %d\n", i, c->pattern, c->name,
                        c->matches);
            fail();
        }
    }
}

/* The texts are copied to blocks of exactly their size: a sanitizer sees any byte read
 * beyond. */
TEST(fnmatch, reads_no_byte_beyond_its_texts)
{
    for (size_t i = 0; i < sizeof fnmatch_cases / sizeof fnmatch_cases[0]; i++) {
        const fnmatch_case *c = &fnmatch_cases[i];

        for (size_t cut = 1; cut < 4 && cut < c->pattern_length && cut < c->name_length; cut++) {
            char *pattern = malloc(c->pattern_length - cut);
            char *name = malloc(c->name_length - cut);

            memcpy(pattern, c->pattern, c->pattern_length - cut);
            memcpy(name, c->name, c->name_length - cut);
            mw_fnmatch(pattern, c->pattern_length - cut, name, c->name_length - cut);
            free(pattern);
            free(name);
        }
    }
}

TEST(fnmatch, takes_bytes_that_are_no_utf8_as_characters_of_their_own)
{
    CHECK(mw_fnmatch("?", 1, "\xff", 1));
    CHECK(mw_fnmatch("??", 2, "\xc3\xc3", 2));
    CHECK(!mw_fnmatch("?", 1, "\xc3\xc3", 2));
    CHECK(mw_fnmatch("\xff", 1, "\xff", 1));
    CHECK(!mw_fnmatch("\xff", 1, "\xc3\xbf", 2));
}

TEST(fnmatch, is_not_exponential_in_stars)
{
    char pattern[201], name[2001];

    memset(name, 'a', 2000);
    for (size_t i = 0; i < 200; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[200] = 'b';
    clock_t start = clock();
    CHECK(!mw_fnmatch(pattern, 201, name, 2000));
    CHECK((clock() - start) / CLOCKS_PER_SEC < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(fnmatch, agrees_with_python_on_every_case),
        CASE(fnmatch, reads_no_byte_beyond_its_texts),
        CASE(fnmatch, takes_bytes_that_are_no_utf8_as_characters_of_their_own),
        CASE(fnmatch, is_not_exponential_in_stars),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
