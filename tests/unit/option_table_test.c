/* SPDX-License-Identifier: MIT
 *
 * The option parser, with a command of every kind of option; complaints are caught on their
 * way to stderr.
 */
#define _GNU_SOURCE
#include "testing.h"

#include "cli/option_table.h"

#include <errno.h>
#include <stdio.h>

typedef struct fields {
    bool quiet;
    const char *json;
    const char *between[2];
    mw_option_list only;
    long top;
    int by;
    uint64_t age;
    double share;
    const char *pprof; /* not in the table */
} fields;

static const char *const keys[] = {"line", "file", "function", NULL};

static const mw_option options[] = {
    {"--quiet", MW_OPTION_FLAG, .offset = offsetof(fields, quiet)},
    {"--json", MW_OPTION_TEXT, .offset = offsetof(fields, json)},
    {"--between", MW_OPTION_PAIR, .offset = offsetof(fields, between)},
    {"--only", MW_OPTION_LIST, .offset = offsetof(fields, only)},
    {"--top", MW_OPTION_COUNT, .offset = offsetof(fields, top), .maximum = 100},
    {"--by", MW_OPTION_CHOICE, .offset = offsetof(fields, by), .choices = keys},
    {"--age", MW_OPTION_DURATION, .offset = offsetof(fields, age)},
    {"--share", MW_OPTION_PERCENT, .offset = offsetof(fields, share)},
};

static bool has_other(const char *name)
{
    return strcmp(name, "--pprof") == 0;
}

static bool take_other(void *into, const char *name, const char *value)
{
    fields *found = into;

    (void)name;
    if (found->pprof != NULL)
        return false;
    found->pprof = value;
    return true;
}

static const mw_option_table table = {
    .command = "show",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .has_other = has_other,
    .take_other = take_other,
    .operand_maximum = 2,
};

/* What one call of the parser gave. */
typedef struct outcome {
    fields found;
    const char *operands[2];
    bool wants_help;
    int status;
    char complaint[500];
} outcome;

/* Parses words that are separated by blanks. */
static outcome parse(const char *line)
{
    static char words[500];
    char *argv[40] = {"show"};
    outcome result = {.status = -1, .operands = {"junk", "junk"}};
    FILE *real = stderr;
    int count = 1;

    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        argv[count++] = word;
    errno = ERANGE;
    stderr = fmemopen(result.complaint, sizeof result.complaint - 1, "w");
    result.status =
        mw_option_table_parse(&table, argv, &result.found, result.operands, &result.wants_help);
    fclose(stderr);
    stderr = real;
    return result;
}

static void check_complaint(const char *line, const char *sentence)
{
    outcome result = parse(line);

    CHECK_STR_EQ(result.complaint, sentence);
    CHECK_EQ(result.status, MW_EXIT_USAGE);
}

TEST(option_table, go_where_the_table_says)
{
    outcome result = parse("--quiet old --json a.json --between 10s 5m --only=a/* --only b "
                           "--top 7 --by function --age 1h30m --share 2.5% new --pprof p.gz");

    CHECK_STR_EQ(result.complaint, "");
    CHECK_EQ(result.status, MW_EXIT_DONE);
    CHECK(result.found.quiet);
    CHECK_STR_EQ(result.found.json, "a.json");
    CHECK_STR_EQ(result.found.between[0], "10s");
    CHECK_STR_EQ(result.found.between[1], "5m");
    CHECK_EQ(result.found.only.count, 2);
    CHECK_STR_EQ(result.found.only.words[0], "a/*");
    CHECK_STR_EQ(result.found.only.words[1], "b");
    CHECK_EQ(result.found.top, 7);
    CHECK_EQ(result.found.by, 2);
    CHECK_EQ(result.found.age, UINT64_C(5400000000000));
    CHECK(result.found.share == 2.5);
    CHECK_STR_EQ(result.found.pprof, "p.gz");
    CHECK_STR_EQ(result.operands[0], "old");
    CHECK_STR_EQ(result.operands[1], "new");
}

TEST(option_table, end_at_two_dashes_and_a_dash_is_an_operand)
{
    outcome result = parse("- -- --quiet");

    CHECK_EQ(result.status, MW_EXIT_DONE);
    CHECK(!result.found.quiet);
    CHECK_STR_EQ(result.operands[0], "-");
    CHECK_STR_EQ(result.operands[1], "--quiet");
}

TEST(option_table, a_value_may_begin_with_a_dash_and_have_an_equals_sign)
{
    outcome result = parse("--between -10m end --json=a=b");

    CHECK_EQ(result.status, MW_EXIT_DONE);
    CHECK_STR_EQ(result.found.between[0], "-10m");
    CHECK_STR_EQ(result.found.json, "a=b");
    CHECK(result.operands[0] == NULL);
}

TEST(option_table, help_ends_the_reading)
{
    CHECK(parse("--help --nonsense").wants_help);
    CHECK(parse("-h").wants_help);
    CHECK(!parse("x").wants_help);
}

TEST(option_table, complain_in_one_sentence)
{
    check_complaint("--best", "memwhy: show has no option \"--best\"; see \"memwhy help show\".\n");
    check_complaint("-x=3", "memwhy: show has no option \"-x\"; see \"memwhy help show\".\n");
    check_complaint("a b c", "memwhy: show has no use for \"c\"; see \"memwhy help show\".\n");
    check_complaint("--json", "memwhy: --json wants a value; see \"memwhy help show\".\n");
    check_complaint("--pprof", "memwhy: --pprof wants a value; see \"memwhy help show\".\n");
    check_complaint("--pprof a --pprof b", "memwhy: --pprof was given twice.\n");
    check_complaint("--between", "memwhy: --between wants two values; see \"memwhy help show\".\n");
    check_complaint("--between 1s",
                    "memwhy: --between wants two values; see \"memwhy help show\".\n");
    check_complaint("--quiet=yes", "memwhy: --quiet takes no value; see \"memwhy help show\".\n");
    check_complaint("--top 0", "memwhy: --top takes a whole number from 1 to 100, not \"0\".\n");
    check_complaint("--top 3x", "memwhy: --top takes a whole number from 1 to 100, not \"3x\".\n");
    check_complaint("--by size", "memwhy: --by takes line, file or function, not \"size\".\n");
    check_complaint("--age 10", "memwhy: --age takes a duration, as in \"90s\", \"10m\" or "
                                "\"1h30m\", not \"10\".\n");
    check_complaint("--share 5", "memwhy: --share takes a percentage, as in \"5%\", not \"5\".\n");
}

TEST(option_table, complain_without_control_characters)
{
    check_complaint("--by \033]0;x\007",
                    "memwhy: --by takes line, file or function, not \"?]0;x?\".\n");
    check_complaint("--\302\233m",
                    "memwhy: show has no option \"--?m\"; see \"memwhy help show\".\n");
    check_complaint("--\303\274=x",
                    "memwhy: show has no option \"--\303\274\"; see \"memwhy help show\".\n");
}

TEST(option_table, a_list_has_an_end)
{
    char *argv[2 + MW_OPTION_LIST_MAXIMUM + 1] = {"show"};
    const char *operands[2];
    fields found = {0};
    bool wants_help;

    for (int i = 1; i <= MW_OPTION_LIST_MAXIMUM; i++)
        argv[i] = "--only=x";
    CHECK_EQ(mw_option_table_parse(&table, argv, &found, operands, &wants_help), MW_EXIT_DONE);
    CHECK_EQ(found.only.count, MW_OPTION_LIST_MAXIMUM);
    argv[MW_OPTION_LIST_MAXIMUM + 1] = "--only=x";
    found = (struct fields){0};
    CHECK_EQ(mw_option_table_parse(&table, argv, &found, operands, &wants_help), MW_EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(option_table, go_where_the_table_says),
        CASE(option_table, end_at_two_dashes_and_a_dash_is_an_operand),
        CASE(option_table, a_value_may_begin_with_a_dash_and_have_an_equals_sign),
        CASE(option_table, help_ends_the_reading),
        CASE(option_table, complain_in_one_sentence),
        CASE(option_table, complain_without_control_characters),
        CASE(option_table, a_list_has_an_end),
    };

    return cmocka_run_group_tests_name("option_table", tests, NULL, NULL);
}
