/* SPDX-License-Identifier: MIT */
#include "render/call_tree.h"

#include "core/filter.h"

#include "shop.h"
#include "snapshot_model.h"

enum { SEEDS = 150 };

/* ── the slow twin: what a block's stack is in the tree, frame by frame ──────────── */

typedef struct twin_stack {
    const model_frame *frames[MODEL_DEPTH];
    uint32_t depth;
} twin_stack;

static bool same_frame(const model_frame *a, const model_frame *b, const mw_call_options *options)
{
    return strcmp(a->file, b->file) == 0 && strcmp(a->function, b->function) == 0 &&
           (options->merges_lines || (a->line == b->line && strcmp(a->module, b->module) == 0));
}

/* Goes back to where [frame] is on the stack already; false if it is not. */
static bool twin_fold(twin_stack *stack, const model_frame *frame, const mw_call_options *options)
{
    for (uint32_t depth = stack->depth; depth != 0; depth--) {
        if (same_frame(stack->frames[depth - 1], frame, options)) {
            stack->depth = depth;
            return true;
        }
    }
    return false;
}

static twin_stack twin_of(const model_block *block, const mw_call_options *options)
{
    twin_stack stack = {.depth = 0};

    for (uint32_t i = 0; i < block->depth; i++) {
        const model_frame *frame = &block->frames[options->is_inverted ? i : block->depth - 1 - i];

        if (options->folds_recursion && twin_fold(&stack, frame, options))
            continue;
        if (options->depth_maximum != 0 && stack.depth >= options->depth_maximum)
            continue;
        stack.frames[stack.depth++] = frame;
    }
    return stack;
}

static bool twin_begins_with(const twin_stack *stack, const twin_stack *start,
                             const mw_call_options *options)
{
    if (stack->depth < start->depth)
        return false;
    for (uint32_t i = 0; i < start->depth; i++)
        if (!same_frame(stack->frames[i], start->frames[i], options))
            return false;
    return true;
}

static mw_call_sums twin_sums(const snapshot_model *model, const twin_stack *node,
                              const mw_call_options *options)
{
    mw_call_sums sums = {0};

    for (uint32_t i = 0; i < model->count; i++) {
        twin_stack stack = twin_of(&model->blocks[i], options);

        if (!twin_begins_with(&stack, node, options))
            continue;
        sums.bytes += model->blocks[i].size_bytes;
        sums.blocks++;
        if (stack.depth != node->depth)
            continue;
        sums.self_bytes += model->blocks[i].size_bytes;
        sums.self_blocks++;
    }
    return sums;
}

/* How many different stacks and beginnings of stacks the models have. */
static uint32_t twin_node_count(const snapshot_model *const *models, uint32_t count,
                                const mw_call_options *options)
{
    static twin_stack nodes[2 * MODEL_BLOCKS * MODEL_DEPTH];
    uint32_t node_count = 0;

    for (uint32_t i = 0; i < count * MODEL_BLOCKS; i++) {
        const snapshot_model *model = models[i / MODEL_BLOCKS];
        twin_stack stack;

        if (i % MODEL_BLOCKS >= model->count)
            continue;
        stack = twin_of(&model->blocks[i % MODEL_BLOCKS], options);
        for (; stack.depth != 0; stack.depth--) {
            uint32_t known = 0;

            while (known < node_count && !(nodes[known].depth == stack.depth &&
                                           twin_begins_with(&nodes[known], &stack, options)))
                known++;
            if (known == node_count)
                nodes[node_count++] = stack;
        }
    }
    return node_count;
}

/* ── against the tree ────────────────────────────────────────────────────────────── */

static void check_sums(const mw_call_sums *sums, const mw_call_sums *expected)
{
    CHECK_EQ(sums->bytes, expected->bytes);
    CHECK_EQ(sums->blocks, expected->blocks);
    CHECK_EQ(sums->self_bytes, expected->self_bytes);
    CHECK_EQ(sums->self_blocks, expected->self_blocks);
}

/* The stack of frames that leads to a node, as the model would say it. */
static twin_stack stack_of_node(const mw_call_tree *tree, uint32_t node,
                                model_frame frames[MODEL_DEPTH])
{
    twin_stack stack = {.depth = tree->nodes[node].depth};

    for (uint32_t i = stack.depth; i != 0; i--, node = tree->nodes[node].caller) {
        const mw_call_frame *frame = &tree->frames[tree->nodes[node].frame];

        frames[i - 1] = (model_frame){
            .file = mw_call_tree_file(tree, node, NULL),
            .function = mw_call_tree_function(tree, node, NULL),
            .module = mw_snapshot_string(frame->snapshot, frame->row.module, NULL),
            .line = frame->row.line,
        };
        stack.frames[i - 1] = &frames[i - 1];
    }
    return stack;
}

/* What changed in and below each node, added up anew. */
static void check_changed(const mw_call_tree *tree)
{
    for (uint32_t i = 0; i < tree->node_count; i++) {
        uint64_t changed = 0;

        for (uint32_t below = i; below < tree->nodes[i].end; below++) {
            uint64_t now = tree->nodes[below].now.self_bytes;
            uint64_t before = tree->before[below].self_bytes;

            changed += now > before ? now - before : before - now;
        }
        CHECK_EQ(tree->changed[i], changed);
    }
}

static void check_tree(const snapshot_model *model, const snapshot_model *older,
                       const mw_call_options *options)
{
    const snapshot_model *const models[] = {model, older};
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_snapshot *snapshot = model_snapshot(model);
    mw_snapshot *older_snapshot = older == NULL ? NULL : model_snapshot(older);
    mw_call_tree tree;

    CHECK_OK(mw_call_tree_init(&tree, snapshot, older_snapshot, options, &failing.base));
    CHECK(mw_call_tree_is_consistent(&tree));
    CHECK_EQ(tree.node_count - 1, twin_node_count(models, older == NULL ? 1 : 2, options));
    for (uint32_t i = 0; i < tree.node_count; i++) {
        model_frame frames[MODEL_DEPTH];
        twin_stack stack = stack_of_node(&tree, i, frames);
        mw_call_sums expected = twin_sums(model, &stack, options);

        check_sums(&tree.nodes[i].now, &expected);
        if (older == NULL)
            continue;
        expected = twin_sums(older, &stack, options);
        check_sums(&tree.before[i], &expected);
    }
    if (tree.changed != NULL)
        check_changed(&tree);
    CHECK_EQ(tree.nodes[0].now.bytes, mw_snapshot_live_bytes(snapshot));
    mw_call_tree_done(&tree);
    CHECK_EQ(failing.live_blocks, 0);
    mw_snapshot_release(snapshot);
    mw_snapshot_release(older_snapshot);
}

static void check_trees(bool has_older)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed), older = model_random(seed + 5000);
        mw_call_options options = {.merges_lines = seed % 2 != 0,
                                   .is_inverted = seed / 2 % 2 != 0,
                                   .folds_recursion = seed / 4 % 2 != 0,
                                   .sorts_by_change = seed / 16 % 2 != 0,
                                   .depth_maximum = seed / 8 % 2 != 0 ? 3 : 0};

        check_tree(&model, has_older ? &older : NULL, &options);
    }
}

TEST(call_tree, agrees_with_its_slow_twin)
{
    check_trees(false);
}

TEST(call_tree, agrees_with_its_slow_twin_about_what_was_before)
{
    check_trees(true);
}

/* Whether the stack of each site of the snapshot ends in the site's node. */
static void check_sites(const mw_call_tree *tree, const mw_snapshot *snapshot,
                        const uint32_t *site_nodes)
{
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_path path = mw_snapshot_site(snapshot, (mw_site){i}).path;
        uint32_t node = site_nodes[i];

        for (; path.index != 0; path = mw_snapshot_path_caller(snapshot, path)) {
            mw_frame_row frame =
                mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));
            CHECK_STR_EQ(mw_call_tree_file(tree, node, NULL),
                         mw_snapshot_string(snapshot, frame.file, NULL));
            CHECK_EQ(tree->frames[tree->nodes[node].frame].row.line, frame.line);
            node = tree->nodes[node].caller;
        }
        CHECK_EQ(node, 0);
    }
}

TEST(call_tree, knows_where_the_stack_of_each_site_ends)
{
    mw_call_options options = {.keeps_sites = true};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed), older_model = model_random(seed + 5000);
        mw_snapshot *snapshot = model_snapshot(&model), *older = model_snapshot(&older_model);
        mw_call_tree tree;

        CHECK_OK(mw_call_tree_init(&tree, snapshot, older, &options, mw_alloc_system()));
        CHECK(mw_call_tree_is_consistent(&tree));
        check_sites(&tree, snapshot, tree.site_nodes);
        check_sites(&tree, older, tree.older_site_nodes);
        mw_call_tree_done(&tree);
        mw_snapshot_release(snapshot);
        mw_snapshot_release(older);
    }
}

static void check_same(const mw_call_tree *tree, const mw_call_tree *expected)
{
    CHECK(mw_call_tree_is_consistent(tree));
    CHECK_EQ(tree->node_count, expected->node_count);
    for (uint32_t i = 0; i < tree->node_count; i++) {
        CHECK_STR_EQ(mw_call_tree_file(tree, i, NULL), mw_call_tree_file(expected, i, NULL));
        CHECK_EQ(tree->nodes[i].end, expected->nodes[i].end);
        check_sums(&tree->nodes[i].now, &expected->nodes[i].now);
        check_sums(&tree->before[i], &expected->before[i]);
    }
}

/* In a series all snapshots share their tables; what is known of them serves both. */
TEST(call_tree, of_two_snapshots_that_share_tables_is_that_of_two_that_do_not)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed), half = model;
        mw_snapshot *snapshot = model_snapshot(&model), *shared, *other;
        mw_call_options options = {.merges_lines = seed % 2 != 0, .keeps_sites = seed / 2 % 2 != 0};
        bool keep[MODEL_BLOCKS + 1] = {false};
        mw_call_tree tree, expected;
        mw_site site;
        uint64_t size;

        half.count = 0;
        for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++)
            keep[i] = mw_random_below(&random, 2) == 0;
        for (uint32_t i = 0; i < model.count; i++) {
            mw_snapshot_block(snapshot, i, &site, &size);
            if (keep[site.index])
                half.blocks[half.count++] = model.blocks[i];
        }
        CHECK_OK(mw_snapshot_select(snapshot, keep, &shared));
        other = model_snapshot(&half);
        CHECK_OK(mw_call_tree_init(&tree, shared, snapshot, &options, mw_alloc_system()));
        CHECK_OK(mw_call_tree_init(&expected, other, snapshot, &options, mw_alloc_system()));
        check_same(&tree, &expected);
        mw_call_tree_done(&tree);
        mw_call_tree_done(&expected);
        mw_snapshot_release(shared);
        mw_snapshot_release(other);
        mw_snapshot_release(snapshot);
    }
}

TEST(call_tree, has_nodes_for_what_is_dead_if_sites_are_kept)
{
    mw_snapshot_builder *builder = new_builder();
    const call dead[] = {MAIN, {"a.py", 1, "f"}, {0}}, alive[] = {MAIN, {0}};
    mw_snapshot *snapshot;

    add_blocks(builder, alive, 8, 1);
    add_blocks(builder, dead, 8, 0);
    CHECK_OK(mw_snapshot_builder_totals(builder, (mw_site){1}, 8, 1));
    CHECK_OK(mw_snapshot_builder_totals(builder, (mw_site){2}, 800, 100));
    snapshot = finish(builder);
    for (int keeps = 0; keeps < 2; keeps++) {
        mw_call_options options = {.keeps_sites = keeps != 0};
        mw_call_tree tree;

        CHECK_OK(mw_call_tree_init(&tree, snapshot, NULL, &options, mw_alloc_system()));
        CHECK(mw_call_tree_is_consistent(&tree));
        CHECK_EQ(tree.node_count, keeps ? 3 : 2);
        if (keeps)
            check_sites(&tree, snapshot, tree.site_nodes);
        mw_call_tree_done(&tree);
    }
    mw_snapshot_release(snapshot);
}

TEST(call_tree, of_nothing_is_a_root)
{
    snapshot_model nothing = {.frame_limit = 1};
    mw_call_options options = {0};

    check_tree(&nothing, &nothing, &options);
}

TEST(call_tree, of_a_very_deep_stack_needs_no_recursion)
{
    enum { DEPTH = 60000 };
    mw_snapshot_builder *builder = new_builder();
    mw_call_options options = {0};
    mw_frame_row row = {.file = intern(builder, "tree.py"), .line = 5};
    mw_path path = {0};
    mw_frame frame;
    mw_site site;
    mw_snapshot *snapshot;
    mw_call_tree tree;

    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    for (uint32_t i = 0; i < DEPTH; i++)
        CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
    CHECK_OK(mw_snapshot_builder_site(builder, path, DEPTH, 0, (mw_thread){0}, &site));
    CHECK_OK(mw_snapshot_builder_blocks(builder, site, 8, 1));
    snapshot = finish(builder);
    for (int inverted = 0; inverted < 2; inverted++) {
        options = (mw_call_options){.is_inverted = inverted != 0};
        CHECK_OK(mw_call_tree_init(&tree, snapshot, NULL, &options, mw_alloc_system()));
        CHECK_EQ(tree.deepest, DEPTH);
        CHECK(mw_call_tree_is_consistent(&tree));
        mw_call_tree_done(&tree);

        options.folds_recursion = true;
        CHECK_OK(mw_call_tree_init(&tree, snapshot, NULL, &options, mw_alloc_system()));
        CHECK_EQ(tree.node_count, 2);
        CHECK_EQ(tree.nodes[1].now.self_bytes, 8);
        mw_call_tree_done(&tree);
    }
    mw_snapshot_release(snapshot);
}

/* What the samples stand for is rounded once per site; all readers add up the same. */
TEST(call_tree, of_samples_adds_up_what_they_stand_for)
{
    mw_snapshot_builder *builder = new_builder();
    const call small[] = {MAIN, {"a.py", 1, "f"}, {0}}, large[] = {MAIN, {"b.py", 2, "g"}, {0}};
    mw_call_options options = {0};
    mw_snapshot *snapshot;
    mw_call_tree tree;

    mw_snapshot_builder_sampled(builder, 1000);
    add_blocks(builder, small, 10, 3);
    add_blocks(builder, large, 100000, 2);
    snapshot = finish(builder);
    CHECK_OK(mw_call_tree_init(&tree, snapshot, NULL, &options, mw_alloc_system()));
    CHECK(mw_call_tree_is_consistent(&tree));
    /* 3 / (1 - exp(-16 / 1000)) blocks of 10 bytes; the large ones are hit for sure. */
    CHECK_EQ(tree.nodes[0].now.blocks, 189 + 2);
    CHECK_EQ(tree.nodes[0].now.bytes, 1890 + 200000);
    mw_call_tree_done(&tree);
    mw_snapshot_release(snapshot);
}

TEST(call_tree, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(4), older_model = model_random_large(6);
    mw_snapshot *snapshot = model_snapshot(&model), *older = model_snapshot(&older_model);

    for (int inverted = 0; inverted < 2; inverted++) {
        mw_call_options options = {
            .is_inverted = inverted != 0, .keeps_sites = true, .sorts_by_change = inverted == 0};
        mw_status status = MW_NO_MEMORY;

        for (size_t nth = 0; status != MW_OK; nth++) {
            mw_failing_alloc failing = mw_failing_alloc_at(nth);
            mw_call_tree tree;

            status = mw_call_tree_init(&tree, snapshot, older, &options, &failing.base);
            CHECK(status == MW_OK || status == MW_NO_MEMORY);
            if (status != MW_OK)
                CHECK_EQ(failing.live_blocks, 0);
            mw_call_tree_done(&tree);
            CHECK_EQ(failing.live_blocks, 0);
        }
    }
    mw_snapshot_release(snapshot);
    mw_snapshot_release(older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(call_tree, agrees_with_its_slow_twin),
        CASE(call_tree, agrees_with_its_slow_twin_about_what_was_before),
        CASE(call_tree, knows_where_the_stack_of_each_site_ends),
        CASE(call_tree, of_two_snapshots_that_share_tables_is_that_of_two_that_do_not),
        CASE(call_tree, has_nodes_for_what_is_dead_if_sites_are_kept),
        CASE(call_tree, of_nothing_is_a_root),
        CASE(call_tree, of_a_very_deep_stack_needs_no_recursion),
        CASE(call_tree, of_samples_adds_up_what_they_stand_for),
        CASE(call_tree, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
