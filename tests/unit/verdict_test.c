/* SPDX-License-Identifier: MIT
 *
 * The rules of the verdict, one by one.
 */
#include "shop.h"

/* Takes the builder; the sentence lives until the next call. */
static const char *verdict_of(mw_snapshot_builder *builder)
{
    static char sentence[2048];
    mw_snapshot *snapshot = finish(builder);
    mw_summary summary = shop_summary(snapshot, MW_GROUP_LINE);
    mw_verdict verdict;
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_verdict_init(&verdict, &summary, mw_alloc_system(), NULL));
    mw_verdict_write(&verdict, &summary, &buffer.sink);
    snprintf(sentence, sizeof sentence, "%s", buffer.bytes);
    mw_verdict_done(&verdict);
    mw_buffer_done(&buffer);
    mw_snapshot_release(snapshot);
    return sentence;
}

TEST(verdict, on_nothing_says_so)
{
    assert_string_equal(verdict_of(new_builder()),
                        "Nothing that was allocated since the start is still alive.");
}

TEST(verdict, names_one_line)
{
    const call calls[] = {MAIN, {0}};
    mw_snapshot_builder *builder = new_builder();

    add_blocks(builder, calls, 2048, 1);
    assert_string_equal(verdict_of(builder),
                        "100.0% of the 2048 B still alive comes from one line: "
                        "shop/app.py:120 in main (2048 B in 1 block).");
}

/* "def keep(item): kept.append(item)" is a line of two functions. */
TEST(verdict, names_of_a_line_the_function_that_holds_most)
{
    const call definition[] = {{"/home/me/shop/app.py", 7, "<module>"}, {0}};
    const call calls[] = {MAIN, {"/home/me/shop/app.py", 7, "keep"}, {0}};

    for (int definition_first = 0; definition_first <= 1; definition_first++) {
        mw_snapshot_builder *builder = new_builder();

        if (definition_first)
            add_blocks(builder, definition, 144, 1);
        for (uint64_t size = 1; size <= 4; size++)
            add_blocks(builder, calls, 100 * size, 1);
        if (!definition_first)
            add_blocks(builder, definition, 144, 1);
        assert_string_equal(verdict_of(builder),
                            "100.0% of the 1144 B still alive comes from one line: "
                            "shop/app.py:7 in keep (1144 B in 5 blocks).");
    }
}

TEST(verdict, does_not_name_many_small_lines)
{
    mw_snapshot_builder *builder = new_builder();

    for (int line = 1; line <= 40; line++) {
        const call calls[] = {{"/home/me/shop/app.py", line, "main"}, {0}};
        add_blocks(builder, calls, 100 + (uint64_t)line, 1);
    }
    assert_string_equal(verdict_of(builder),
                        "No line of the program stands out in the 4820 B still alive; the "
                        "largest is shop/app.py:40 in main (140 B in 1 block).");
}

TEST(verdict, prefers_no_import_to_a_line)
{
    const call imports[] = {{"/home/me/shop/app.py", 3, "<module>"},
                            {"<frozen importlib._bootstrap>", 1176, "_find_and_load"},
                            {STDLIB "decimal.py", 8, "<module>"},
                            {0}};
    const call line[] = {MAIN, {0}};
    mw_snapshot_builder *builder = new_builder();

    add_blocks(builder, imports, 6000, 1);
    add_blocks(builder, line, 4000, 1);
    assert_string_equal(verdict_of(builder), "40.0% of the 10000 B still alive comes from one "
                                             "line: shop/app.py:120 in main (4000 B in 1 block). "
                                             "Imported modules hold 6000 B (60.0%).");
}

TEST(verdict, says_when_a_library_was_called_by_nobody)
{
    const call calls[] = {{STDLIB "threading.py", 995, "_bootstrap"}, {0}};
    mw_snapshot_builder *builder = new_builder();

    add_blocks(builder, calls, 10, 10);
    assert_string_equal(verdict_of(builder),
                        "100.0% of the 100 B still alive comes from one line: threading.py:995 "
                        "in _bootstrap (100 B in 10 blocks, called by no line of the program).");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(verdict, on_nothing_says_so),
        CASE(verdict, names_one_line),
        CASE(verdict, names_of_a_line_the_function_that_holds_most),
        CASE(verdict, does_not_name_many_small_lines),
        CASE(verdict, prefers_no_import_to_a_line),
        CASE(verdict, says_when_a_library_was_called_by_nobody),
    };

    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
