/* SPDX-License-Identifier: MIT
 *
 * Lines across edited files: the alignment against a search through all of them, files at
 * other roots, and programs that are edited at random, where it is known which line is which.
 */
#include "testing.h"

#include "core/diff.h"
#include "core/file_match.h"
#include "core/line_align.h"
#include "core/line_match.h"

#include <stdio.h>

/* ── the alignment ───────────────────────────────────────────────────────────────── */

/* The most that pairs in order can be worth: every choice is tried. */
static int64_t best_of_all(const mw_aligned_line *older, uint32_t older_count,
                           const mw_aligned_line *newer, uint32_t newer_count)
{
    int64_t best;

    if (older_count == 0)
        return 0;
    best = best_of_all(older + 1, older_count - 1, newer, newer_count);
    for (uint32_t j = 0; j < newer_count; j++) {
        int64_t score = mw_line_pair_score(older, &newer[j]);
        int64_t with =
            score + best_of_all(older + 1, older_count - 1, newer + j + 1, newer_count - j - 1);
        if (score != 0 && with > best)
            best = with;
    }
    return best;
}

static uint32_t random_lines(mw_random *random, mw_aligned_line *lines)
{
    static const char *const texts[] = {"a", "b", "c", NULL};
    uint32_t count = mw_random_below(random, 7);
    int32_t offset = 0;

    for (uint32_t i = 0; i < count; i++) {
        const char *text = texts[mw_random_below(random, 4)];
        offset += 1 + (int32_t)mw_random_below(random, 3);
        lines[i] = (mw_aligned_line){
            .offset = offset, .text = text, .length = text == NULL ? 0 : strlen(text)};
    }
    return count;
}

/* Checks that twins are mutual and in order; returns what they are worth. */
static int64_t worth_of(const mw_aligned_line *older, uint32_t older_count,
                        const mw_aligned_line *newer)
{
    int64_t worth = 0;
    int32_t last = -1;

    for (uint32_t i = 0; i < older_count; i++) {
        if (older[i].twin < 0)
            continue;
        CHECK(older[i].twin > last);
        CHECK_EQ(newer[older[i].twin].twin, (int32_t)i);
        CHECK(mw_line_pair_score(&older[i], &newer[older[i].twin]) != 0);
        last = older[i].twin;
        worth += mw_line_pair_score(&older[i], &newer[older[i].twin]);
    }
    return worth;
}

TEST(line_match, aligns_as_well_as_a_search_through_all_alignments)
{
    int64_t *scratch = malloc(MW_ALIGNED_SCRATCH * sizeof *scratch);
    mw_random random = mw_random_of(1);

    for (int round = 0; round < 3000; round++) {
        mw_aligned_line older[8], newer[8];
        uint32_t older_count = random_lines(&random, older);
        uint32_t newer_count = random_lines(&random, newer);

        mw_lines_align(older, older_count, newer, newer_count, scratch);
        CHECK(worth_of(older, older_count, newer) ==
              best_of_all(older, older_count, newer, newer_count));
    }
    free(scratch);
}

/* ── files ───────────────────────────────────────────────────────────────────────── */

static void check_files(mw_matched_file *older, uint32_t older_count, mw_matched_file *newer,
                        uint32_t newer_count, const uint32_t *twins)
{
    mw_failing_alloc counting = mw_failing_alloc_never();

    CHECK_OK(mw_files_match(older, older_count, newer, newer_count, &counting.base));
    CHECK_EQ(counting.live_blocks, 0);
    for (uint32_t i = 0; i < older_count; i++) {
        CHECK_EQ(older[i].twin, twins[i]);
        if (twins[i] != 0)
            CHECK_EQ(newer[twins[i] - 1].twin, i + 1);
    }
}

TEST(line_match, files_at_other_roots_are_found_again)
{
    mw_matched_file older[] = {
        {"/app/shop/app.py", "__main__", 0},
        {"/app/shop/cache.py", "shop.cache", 0},
        {"/usr/lib/python3.11/json/__init__.py", "json", 0},
        {"/usr/lib/python3.11/json/decoder.py", "json.decoder", 0},
        {"/app/.venv/lib/python3.11/site-packages/requests/__init__.py", "requests", 0},
        {"<frozen importlib._bootstrap>", "importlib._bootstrap", 0},
        {"/same.py", "same", 0},
    };
    mw_matched_file newer[] = {
        {"<frozen importlib._bootstrap>", "importlib._bootstrap", 0},
        {"/opt/py312/lib/python3.12/json/decoder.py", "json.decoder", 0},
        {"/opt/py312/lib/python3.12/json/__init__.py", "json", 0},
        {"/srv/venv/lib/python3.12/site-packages/requests/__init__.py", "requests", 0},
        {"/srv/shop/cache.py", "shop.cache", 0},
        {"/srv/shop/app.py", "shop.app", 0},
        {"/same.py", "another", 0},
    };
    const uint32_t twins[] = {6, 5, 3, 2, 4, 1, 7};

    check_files(older, 7, newer, 7, twins);
}

TEST(line_match, the_file_whose_end_is_longer_the_same_is_the_one)
{
    mw_matched_file older[] = {{"/app/lib/util.py", "", 0}, {"/app/a/b/c.py", "", 0}};
    mw_matched_file newer[] = {{"/srv/other/util.py", "", 0},
                               {"/srv/lib/util.py", "", 0},
                               {"/srv/b/c.py", "", 0},
                               {"/srv/c.py", "", 0}};
    const uint32_t twins[] = {2, 3};

    check_files(older, 2, newer, 4, twins);
}

TEST(line_match, a_file_that_is_where_it_was_is_nobody_elses)
{
    mw_matched_file older[] = {{"/app/x.py", "", 0}, {"/gone/x.py", "", 0}};
    mw_matched_file newer[] = {{"/app/x.py", "", 0}};
    const uint32_t twins[] = {1, 0};

    check_files(older, 2, newer, 1, twins);
}

TEST(line_match, all_files_of_a_large_program_are_found_at_another_root)
{
    enum { COUNT = 500 };
    static char names[2][COUNT][40];
    static mw_matched_file older[COUNT], newer[COUNT];
    static uint32_t twins[COUNT];

    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t there = i * 77 % COUNT;

        snprintf(names[0][i], sizeof names[0][i], "/app/part%u/file%u.py", i % 7, i);
        snprintf(names[1][there], sizeof names[1][there], "/srv/part%u/file%u.py", i % 7, i);
        older[i] = (mw_matched_file){names[0][i], "", 0};
        newer[there] = (mw_matched_file){names[1][there], "", 0};
        twins[i] = there + 1;
    }
    check_files(older, COUNT, newer, COUNT, twins);
}

TEST(line_match, files_that_only_share_a_name_are_not_taken_for_each_other)
{
    mw_matched_file older[] = {
        {"/app/a/utils.py", "a.utils", 0}, /* another module                         */
        {"/app/x/models.py", "", 0},       /* nobody knows, and two could be meant   */
        {"<string>", "", 0},
        {"/app/mycache.py", "", 0}, /* the end of a word is no component      */
        {"/app/gone.py", "gone", 0},
    };
    mw_matched_file newer[] = {
        {"/srv/b/utils.py", "b.utils", 0}, {"/srv/y/models.py", "", 0},
        {"/srv/z/models.py", "", 0},       {"<stdin>", "", 0},
        {"/srv/cache.py", "", 0},
    };
    const uint32_t twins[] = {0, 0, 0, 0, 0};

    check_files(older, 5, newer, 5, twins);
}

/* ── programs ────────────────────────────────────────────────────────────────────── */

enum { LINES_MAXIMUM = 700, FILE_COUNT = 2, FUNCTION_COUNT = 4 };

/* One version of a program.  Line [n] of a file is the same as the line of another version
 * that has the same identity. */
typedef struct version {
    mw_line_texts texts;
    const char *root;
    struct {
        struct {
            int identity;           /* 0: a "def"                                    */
            int function;           /* to which it belongs                           */
            uint64_t bytes;         /* allocated there                               */
            char text[40];          /* "" where nobody knows                         */
        } lines[LINES_MAXIMUM + 1]; /* from 1                                  */
        int line_count;
        int first_lines[FUNCTION_COUNT];
        int names[FUNCTION_COUNT]; /* methods of several classes may share one     */
    } files[FILE_COUNT];
} version;

static const char *const modules[FILE_COUNT] = {"shop.cache", "shop.orders"};

static void file_name(const version *of, int file, char name[100])
{
    snprintf(name, 100, "%s/shop/%s.py", of->root, modules[file] + strlen("shop."));
}

static const char *version_text(const mw_line_texts *self, const char *file, int32_t line,
                                size_t *ret_length)
{
    const version *of = (const version *)self;

    for (int i = 0; i < FILE_COUNT; i++) {
        char name[100];
        file_name(of, i, name);
        if (strcmp(name, file) != 0 || of->files[i].lines[line].text[0] == '\0')
            continue;
        *ret_length = strlen(of->files[i].lines[line].text);
        return of->files[i].lines[line].text;
    }
    return NULL;
}

static void append_line(version *to, int file, int identity, int function, const char *text)
{
    int line = ++to->files[file].line_count;

    CHECK(line <= LINES_MAXIMUM);
    to->files[file].lines[line].identity = identity;
    to->files[file].lines[line].function = function;
    to->files[file].lines[line].bytes = 1000 + (uint64_t)identity;
    snprintf(to->files[file].lines[line].text, 40, "%s", text);
}

static void make_version(version *made, const char *root)
{
    int identity = 1;

    *made = (version){.texts = {.line = version_text}, .root = root};
    for (int file = 0; file < FILE_COUNT; file++)
        for (int function = 0; function < FUNCTION_COUNT; function++) {
            append_line(made, file, 0, function, "def");
            made->files[file].first_lines[function] = made->files[file].line_count;
            made->files[file].names[function] = function;
            for (int i = 0; i < 8; i++, identity++) {
                char text[40];
                snprintf(text, sizeof text, "    keep(%d)", identity);
                append_line(made, file, identity, function, text);
            }
        }
}

/* Copies a version with lines added and taken away here and there. */
static void edit_version(version *edited, const version *from, const char *root, mw_random *random)
{
    int fresh = 10000;

    *edited = (version){.texts = {.line = version_text}, .root = root};
    for (int file = 0; file < FILE_COUNT; file++)
        for (int line = 1; line <= from->files[file].line_count; line++) {
            int function = from->files[file].lines[line].function;
            int identity = from->files[file].lines[line].identity;
            uint32_t what = mw_random_below(random, 12);
            char text[40];

            if (identity != 0 && what == 0)
                continue;
            if (what == 1) {
                snprintf(text, sizeof text, "    fresh(%d)", ++fresh);
                append_line(edited, file, fresh, function, text);
            }
            append_line(edited, file, identity, function, from->files[file].lines[line].text);
            edited->files[file].names[function] = from->files[file].names[function];
            if (identity == 0)
                edited->files[file].first_lines[function] = edited->files[file].line_count;
        }
}

static mw_string intern(mw_snapshot_builder *builder, const char *text)
{
    mw_string string;

    CHECK_OK(mw_snapshot_builder_string(builder, text, strlen(text), &string));
    return string;
}

static mw_snapshot *snapshot_of(const version *of)
{
    mw_snapshot_builder *builder;
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 10, &builder));
    for (int file = 0; file < FILE_COUNT; file++)
        for (int line = 1; line <= of->files[file].line_count; line++) {
            int function = of->files[file].lines[line].function;
            char name[100], function_name[20];
            mw_frame_row row;
            mw_frame frame;
            mw_path path;
            mw_site site;

            if (of->files[file].lines[line].identity == 0)
                continue;
            file_name(of, file, name);
            snprintf(function_name, sizeof function_name, "f%d", of->files[file].names[function]);
            row = (mw_frame_row){.file = intern(builder, name),
                                 .function = intern(builder, function_name),
                                 .module = intern(builder, modules[file]),
                                 .line = line,
                                 .first_line = of->files[file].first_lines[function]};
            CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
            CHECK_OK(mw_snapshot_builder_path(builder, (mw_path){0}, frame, &path));
            CHECK_OK(mw_snapshot_builder_site(builder, path, 1, 0, (mw_thread){0}, &site));
            CHECK_OK(
                mw_snapshot_builder_tally(builder, site, of->files[file].lines[line].bytes, 1));
        }
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

/* The line of [identity] in a version, or 0. */
static int line_of(const version *of, int file, int identity)
{
    for (int line = 1; line <= of->files[file].line_count; line++)
        if (of->files[file].lines[line].identity == identity)
            return line;
    return 0;
}

/* Checks the lines of a difference by what is known of them. */
static void check_changes(const version *older, const version *newer, const mw_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const mw_row *row = &rows->items[i];
        const char *name = mw_snapshot_string(row->snapshot, row->file, NULL);
        int file = strstr(name, "cache") != NULL ? 0 : 1;
        int identity = row->line > 0 ? newer->files[file].lines[row->line].identity
                                     : older->files[file].lines[-row->line].identity;

        CHECK(strncmp(name, newer->root, strlen(newer->root)) == 0);
        if (row->bytes == 0) /* a line that went away */
            CHECK(line_of(newer, file, identity) == 0 || row->line > 0);
        else if (line_of(older, file, identity) != 0) /* one that stayed */
            CHECK_EQ(row->bytes_change, 0);
        else if (identity >= 10000) /* one that is new, perhaps in place of another */
            CHECK(row->bytes_change == (int64_t)row->bytes || row->bytes_change > 8000);
    }
}

/* Frames stay in their modules, wherever their file is found again. */
static void check_modules(const mw_snapshot *moved)
{
    for (uint32_t i = 1; i <= mw_snapshot_frame_count(moved); i++) {
        mw_frame_row frame = mw_snapshot_frame(moved, (mw_frame){i});
        bool is_cache = strstr(mw_snapshot_string(moved, frame.file, NULL), "cache") != NULL;

        CHECK_STR_EQ(mw_snapshot_string(moved, frame.module, NULL), modules[is_cache ? 0 : 1]);
    }
}

static mw_status diff_versions(const version *older, const version *newer, mw_alloc *alloc,
                               bool is_quick)
{
    mw_snapshot *before = snapshot_of(older), *after = snapshot_of(newer), *moved = NULL;
    mw_line_matches matches = {0};
    mw_rows rows = {0};
    mw_status status;

    status = mw_line_matches_init(&matches, before, &older->texts, after, &newer->texts, alloc);
    if (status == MW_OK)
        status = mw_line_matches_apply(&matches, before, after, alloc, &moved);
    if (status == MW_OK && !is_quick) {
        CHECK(mw_snapshot_is_consistent(moved));
        check_modules(moved);
        CHECK_EQ(mw_snapshot_live_bytes(moved), mw_snapshot_live_bytes(before));
        CHECK_OK(mw_snapshot_diff(moved, after, MW_GROUP_LINE, MW_GROUP_INNERMOST,
                                  mw_alloc_system(), &rows, NULL));
        check_changes(older, newer, &rows);
        mw_rows_done(&rows);
    }
    mw_line_matches_done(&matches);
    mw_snapshot_release(moved);
    mw_snapshot_release(before);
    mw_snapshot_release(after);
    return status;
}

TEST(line_match, an_edit_is_no_growth_of_the_lines_that_stayed)
{
    static version older, newer;
    mw_random random = mw_random_of(2);

    make_version(&older, "/app");
    for (int round = 0; round < 300; round++) {
        edit_version(&newer, &older, round % 2 == 0 ? "/app" : "/srv/releases/7", &random);
        CHECK_OK(diff_versions(&older, &newer, mw_alloc_system(), false));
    }
}

static int32_t line_after(const version *older, const version *newer, int line)
{
    mw_snapshot *before = snapshot_of(older), *after = snapshot_of(newer);
    mw_line_matches matches;
    int32_t found = 0;

    CHECK_OK(mw_line_matches_init(&matches, before, &older->texts, after, &newer->texts,
                                  mw_alloc_system()));
    for (uint32_t i = 1; i < matches.count; i++) {
        mw_frame_row row = mw_snapshot_frame(before, (mw_frame){i});
        if (row.line == line && strstr(mw_snapshot_string(before, row.file, NULL), "cache") != NULL)
            found = matches.frames[i].line;
    }
    if (found > 0)
        CHECK_EQ(mw_line_matches_before(&matches, before, matches.frames[1].file, found), line);
    mw_line_matches_done(&matches);
    mw_snapshot_release(before);
    mw_snapshot_release(after);
    return found;
}

TEST(line_match, the_same_program_is_left_as_it_is)
{
    static version older, newer;
    mw_snapshot *before, *after;
    mw_line_matches matches;

    make_version(&older, "/app");
    make_version(&newer, "/app");
    /* A line that allocates no more, and one of the same text that did not before. */
    snprintf(older.files[0].lines[4].text, 40, "    same()");
    snprintf(newer.files[0].lines[4].text, 40, "    same()");
    snprintf(older.files[0].lines[6].text, 40, "    same()");
    snprintf(newer.files[0].lines[6].text, 40, "    same()");
    older.files[0].lines[6].identity = 0;
    before = snapshot_of(&older);
    after = snapshot_of(&newer);
    CHECK_OK(mw_line_matches_init(&matches, before, &older.texts, after, &newer.texts,
                                  mw_alloc_system()));
    CHECK(matches.is_identity);
    mw_line_matches_done(&matches);
    mw_snapshot_release(before);
    mw_snapshot_release(after);
}

TEST(line_match, without_texts_functions_that_moved_are_followed)
{
    static version older, newer;

    make_version(&older, "/app");
    *(&newer) = (version){.texts = {.line = version_text}, .root = "/app"};
    append_line(&newer, 0, 0, 0, "");
    for (int line = 1; line <= older.files[0].line_count; line++) {
        older.files[0].lines[line].text[0] = '\0';
        append_line(&newer, 0, older.files[0].lines[line].identity,
                    older.files[0].lines[line].function, "");
    }
    for (int function = 0; function < FUNCTION_COUNT; function++) {
        newer.files[0].first_lines[function] = older.files[0].first_lines[function] + 1;
        newer.files[0].names[function] = function;
    }
    for (int line = 2; line <= 9; line++)
        CHECK_EQ(line_after(&older, &newer, line), line + 1);
}

TEST(line_match, a_line_that_is_gone_is_nobody_elses)
{
    static version older, newer;

    make_version(&older, "/app");
    make_version(&newer, "/app");
    /* Function 0 has lines 2 to 9; line 5 went away, and what followed moved up. */
    for (int line = 5; line < newer.files[0].line_count; line++)
        newer.files[0].lines[line] = newer.files[0].lines[line + 1];
    newer.files[0].line_count--;
    for (int function = 1; function < FUNCTION_COUNT; function++)
        newer.files[0].first_lines[function]--;
    CHECK_EQ(line_after(&older, &newer, 4), 4);
    CHECK_EQ(line_after(&older, &newer, 5), -5);
    CHECK_EQ(line_after(&older, &newer, 6), 5);
    CHECK_EQ(line_after(&older, &newer, 11), 10);
}

TEST(line_match, a_line_that_only_reads_differently_is_the_same)
{
    static version older, newer;

    make_version(&older, "/app");
    make_version(&newer, "/app");
    snprintf(newer.files[0].lines[5].text, 40, "    keep(4, more=True)");
    CHECK_EQ(line_after(&older, &newer, 5), 5);
    CHECK_EQ(line_after(&older, &newer, 6), 6);
}

/* Takes the site from a line: nothing is allocated there. */
static void silence(version *of, int line)
{
    of->files[0].lines[line].identity = 0;
}

static void set_text(version *of, int line, const char *text)
{
    snprintf(of->files[0].lines[line].text, 40, "%s", text);
}

/* Inserts a line at [line] of function 0, at which nothing is allocated. */
static void insert_line(version *of, int line)
{
    for (int i = of->files[0].line_count++; i >= line; i--)
        of->files[0].lines[i + 1] = of->files[0].lines[i];
    silence(of, line);
    set_text(of, line, "    fresh()");
    for (int function = 1; function < FUNCTION_COUNT; function++)
        of->files[0].first_lines[function]++;
}

TEST(line_match, a_line_that_allocates_no_more_is_still_there)
{
    static version older, newer;

    make_version(&older, "/app");
    make_version(&newer, "/app");
    silence(&newer, 9);
    CHECK_EQ(line_after(&older, &newer, 9), 9);
    /* A text that was alone and now stands twice has not moved. */
    set_text(&older, 4, "    same()");
    set_text(&newer, 4, "    same()");
    set_text(&older, 6, "    same()");
    set_text(&newer, 6, "    same()");
    silence(&older, 4);
    CHECK_EQ(line_after(&older, &newer, 6), 6);
    CHECK_EQ(line_after(&older, &newer, 9), 9);
}

TEST(line_match, a_line_that_moved_below_others_that_did_not_is_found)
{
    static version older, newer;

    make_version(&older, "/app");
    for (int line = 2; line <= 9; line++)
        if (line != 3 && line != 5)
            silence(&older, line);
    newer = older;
    insert_line(&newer, 5);
    CHECK_EQ(line_after(&older, &newer, 3), 3);
    CHECK_EQ(line_after(&older, &newer, 5), 6);
}

TEST(line_match, lines_that_read_the_same_are_found_by_what_stands_in_their_place)
{
    static version older, newer;

    make_version(&older, "/app");
    set_text(&older, 3, "    same()");
    set_text(&older, 4, "    same()");
    for (int line = 5; line <= 9; line++)
        silence(&older, line);
    newer = older;
    insert_line(&newer, 3);
    newer.files[0].lines[3].identity = 20000;
    CHECK_EQ(line_after(&older, &newer, 3), 4);
    CHECK_EQ(line_after(&older, &newer, 4), 5);
}

TEST(line_match, a_line_between_two_that_moved_has_moved_as_far)
{
    static version older, newer;

    make_version(&older, "/app");
    newer = older;
    insert_line(&newer, 2);
    silence(&newer, 6);
    CHECK_EQ(line_after(&older, &newer, 4), 5);
    CHECK_EQ(line_after(&older, &newer, 5), 6);
    CHECK_EQ(line_after(&older, &newer, 6), 7);
    /* Behind the last one that is found, nobody knows. */
    silence(&newer, 10);
    CHECK_EQ(line_after(&older, &newer, 9), -9);
}

/* [above] lines, a function of [length] lines, and one of a few. */
static void make_long_version(version *made, int above, int length)
{
    *made = (version){.texts = {.line = version_text}, .root = "/app"};
    for (int i = 0; i < above; i++)
        append_line(made, 0, 0, 0, "import");
    for (int function = 0; function < 2; function++) {
        append_line(made, 0, 0, function, "def");
        made->files[0].first_lines[function] = made->files[0].line_count;
        made->files[0].names[function] = function;
        for (int i = 1; i <= (function == 0 ? length : 5); i++) {
            char text[40];
            snprintf(text, sizeof text, "    keep(%d, %d)", function, i);
            append_line(made, 0, 1000 * function + i, function, text);
        }
    }
}

TEST(line_match, a_very_long_function_moves_as_a_whole)
{
    static version older, newer;

    make_long_version(&older, 0, MW_ALIGNED_MAXIMUM + 50);
    make_long_version(&newer, 3, MW_ALIGNED_MAXIMUM + 50);
    for (int line = 2; line < MW_ALIGNED_MAXIMUM + 50; line += 100)
        CHECK_EQ(line_after(&older, &newer, line), line + 3);
    CHECK_EQ(line_after(&older, &newer, MW_ALIGNED_MAXIMUM + 51), MW_ALIGNED_MAXIMUM + 54);
    CHECK_EQ(line_after(&older, &newer, MW_ALIGNED_MAXIMUM + 55), MW_ALIGNED_MAXIMUM + 58);
    /* Also where only the newer one is that long. */
    make_long_version(&older, 0, MW_ALIGNED_MAXIMUM);
    CHECK_EQ(line_after(&older, &newer, 200), 203);
}

TEST(line_match, functions_of_one_name_prove_no_edit)
{
    static version older, newer;

    make_version(&older, "/app");
    older.files[0].names[1] = 0;
    newer = older;
    for (int line = 2; line <= 9; line++)
        silence(&newer, line);
    CHECK_EQ(line_after(&older, &newer, 3), 3);
    CHECK_EQ(line_after(&older, &newer, 12), 12);
    CHECK_EQ(line_after(&newer, &older, 12), 12);
}

TEST(line_match, returns_every_byte_whichever_allocation_fails)
{
    static version older, newer;
    mw_random random = mw_random_of(3);
    mw_status status;
    size_t nth = 0;

    make_version(&older, "/app");
    edit_version(&newer, &older, "/srv", &random);
    do {
        mw_failing_alloc failing = mw_failing_alloc_at(nth++);
        status = diff_versions(&older, &newer, &failing.base, true);
        CHECK_EQ(failing.live_blocks, 0);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
    } while (status != MW_OK);
    CHECK(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(line_match, aligns_as_well_as_a_search_through_all_alignments),
        CASE(line_match, files_at_other_roots_are_found_again),
        CASE(line_match, the_file_whose_end_is_longer_the_same_is_the_one),
        CASE(line_match, a_file_that_is_where_it_was_is_nobody_elses),
        CASE(line_match, all_files_of_a_large_program_are_found_at_another_root),
        CASE(line_match, files_that_only_share_a_name_are_not_taken_for_each_other),
        CASE(line_match, an_edit_is_no_growth_of_the_lines_that_stayed),
        CASE(line_match, the_same_program_is_left_as_it_is),
        CASE(line_match, without_texts_functions_that_moved_are_followed),
        CASE(line_match, a_line_that_is_gone_is_nobody_elses),
        CASE(line_match, a_line_that_only_reads_differently_is_the_same),
        CASE(line_match, a_line_that_allocates_no_more_is_still_there),
        CASE(line_match, a_line_that_moved_below_others_that_did_not_is_found),
        CASE(line_match, lines_that_read_the_same_are_found_by_what_stands_in_their_place),
        CASE(line_match, a_line_between_two_that_moved_has_moved_as_far),
        CASE(line_match, a_very_long_function_moves_as_a_whole),
        CASE(line_match, functions_of_one_name_prove_no_edit),
        CASE(line_match, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("line_match", tests, NULL, NULL);
}
