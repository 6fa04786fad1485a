/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tracer/source_files.h"

#include "test_directory.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *name, const char *text, size_t length)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, length, file), length);
    CHECK_EQ(fclose(file), 0);
}

static void check_line(mw_source_files *files, const char *name, int32_t line, const char *expected)
{
    const char *text = NULL;
    size_t length = 0;
    bool is_there = mw_source_files_line(files, name, line, &text, &length);

    CHECK_EQ(is_there, expected != NULL);
    if (expected == NULL)
        return;
    CHECK_EQ(length, strlen(expected));
    CHECK(memcmp(text, expected, length) == 0);
}

#define WRITE(name, text) write_file(name, text, sizeof(text) - 1)

TEST(source_files, gives_lines_however_they_end)
{
    mw_source_files files;

    WRITE("a.py", "one\n  two\r\n\rfour\n\nlast");
    mw_source_files_init(&files, mw_alloc_system(), directory);
    check_line(&files, "a.py", 0, NULL);
    check_line(&files, "a.py", -5, NULL);
    check_line(&files, "a.py", 1, "one");
    check_line(&files, "a.py", 2, "  two");
    check_line(&files, "a.py", 3, "");
    check_line(&files, "a.py", 4, "four");
    check_line(&files, "a.py", 5, "");
    check_line(&files, "a.py", 6, "last");
    check_line(&files, "a.py", 7, NULL);
    check_line(&files, "a.py", INT32_MAX, NULL);
    /* As it was when it was first read, until all is forgotten. */
    WRITE("a.py", "changed\n");
    check_line(&files, "a.py", 1, "one");
    mw_source_files_done(&files);
    check_line(&files, "a.py", 1, "changed");
    check_line(&files, "a.py", 2, NULL);
    mw_source_files_done(&files);
}

TEST(source_files, knows_first_lines_that_are_empty)
{
    mw_source_files files;

    WRITE("e.py", "\n\ntwo");
    mw_source_files_init(&files, mw_alloc_system(), directory);
    check_line(&files, "e.py", 1, "");
    check_line(&files, "e.py", 2, "");
    check_line(&files, "e.py", 3, "two");
    mw_source_files_done(&files);
}

TEST(source_files, takes_what_is_no_utf_8_for_latin_1)
{
    mw_source_files files;

    WRITE("b.py", "gr\xfc\xdf\ngr\xc3\xbc\xc3\x9f\n\xed\xa0\x80\n"
                  /* Overlong, beyond Unicode, broken off; and the last character that there is. */
                  "\xf0\x8f\xbf\xbf\n\xe0\x9f\xbf\n\xf4\x90\x80\x80\n\xe2\x82\n\xf4\x8f\xbf\xbf\n");
    mw_source_files_init(&files, mw_alloc_system(), directory);
    check_line(&files, "b.py", 1, "gr\xc3\xbc\xc3\x9f");
    check_line(&files, "b.py", 2, "gr\xc3\xbc\xc3\x9f");
    check_line(&files, "b.py", 3, "\xc3\xad\xc2\xa0\xc2\x80");
    check_line(&files, "b.py", 4, "\xc3\xb0\xc2\x8f\xc2\xbf\xc2\xbf");
    check_line(&files, "b.py", 5, "\xc3\xa0\xc2\x9f\xc2\xbf");
    check_line(&files, "b.py", 6, "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80");
    check_line(&files, "b.py", 7, "\xc3\xa2\xc2\x82");
    check_line(&files, "b.py", 8, "\xf4\x8f\xbf\xbf");
    mw_source_files_done(&files);
}

TEST(source_files, cuts_long_lines_at_a_character)
{
    char text[4001] = {0};
    mw_source_files files;
    const char *line;
    size_t length;

    for (size_t i = 0; i < 2000; i++)
        memcpy(text + 2 * i, "\xc3\xbc", 2);
    memmove(text + 1, text, sizeof text - 2);
    text[0] = 'x';
    write_file("c.py", text, 3999);
    mw_source_files_init(&files, mw_alloc_system(), directory);
    CHECK(mw_source_files_line(&files, "c.py", 1, &line, &length));
    CHECK_EQ(length, MW_SOURCE_LINE_MAXIMUM - 1);
    mw_source_files_done(&files);
}

TEST(source_files, reads_regular_files_of_a_reasonable_size_only)
{
    char path[PATH_MAX];
    mw_source_files files;

    snprintf(path, sizeof path, "%s/pipe.py", directory);
    CHECK_EQ(mkfifo(path, 0600), 0);
    WRITE("large.py", "x\n");
    snprintf(path, sizeof path, "%s/large.py", directory);
    CHECK_EQ(truncate(path, MW_SOURCE_FILE_BYTES + 1), 0);
    WRITE("empty.py", "");
    mw_source_files_init(&files, mw_alloc_system(), directory);
    check_line(&files, "pipe.py", 1, NULL);
    check_line(&files, "large.py", 1, NULL);
    check_line(&files, "empty.py", 1, NULL);
    check_line(&files, "", 1, NULL);
    check_line(&files, ".", 1, NULL);
    check_line(&files, "missing.py", 1, NULL);
    CHECK_EQ(truncate(path, MW_SOURCE_FILE_BYTES), 0);
    mw_source_files_done(&files);
    check_line(&files, path, 1, "x");
    CHECK(files.used_bytes == MW_SOURCE_FILE_BYTES);
    mw_source_files_done(&files);
}

TEST(source_files, keeps_no_more_than_its_bound)
{
    char path[PATH_MAX], name[32];
    mw_source_files files;

    mw_source_files_init(&files, mw_alloc_system(), directory);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "bound%d.py", i);
        write_file(name, "y\n", 2);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        CHECK_EQ(truncate(path, MW_SOURCE_FILE_BYTES), 0);
        check_line(&files, name, 1, "y");
        CHECK(files.used_bytes <= MW_SOURCE_FILES_BYTES + MW_SOURCE_FILE_BYTES);
    }
    CHECK(files.count < 12);
    mw_source_files_done(&files);
}

TEST(source_files, returns_every_byte_whichever_allocation_fails)
{
    bool is_there = false;

    WRITE("d.py", "one\ntwo\n");
    for (size_t nth = 0; !is_there; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_source_files files;
        const char *text;
        size_t length;

        mw_source_files_init(&files, &failing.base, directory);
        is_there = mw_source_files_line(&files, "d.py", 2, &text, &length);
        mw_source_files_done(&files);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(source_files, gives_lines_however_they_end),
        CASE(source_files, knows_first_lines_that_are_empty),
        CASE(source_files, takes_what_is_no_utf_8_for_latin_1),
        CASE(source_files, cuts_long_lines_at_a_character),
        CASE(source_files, reads_regular_files_of_a_reasonable_size_only),
        CASE(source_files, keeps_no_more_than_its_bound),
        CASE(source_files, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
