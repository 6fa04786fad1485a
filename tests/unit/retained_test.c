/* SPDX-License-Identifier: MIT */
#include "graph/retained.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 1500, LIMIT = 6 };

typedef struct test_subject {
    graph_model model;
    mw_object_graph graph;
    mw_dominators tree;
    bool reached[GRAPH_MODEL_NODES];
} test_subject;

static void subject_init(test_subject *subject, uint64_t seed)
{
    bool none[GRAPH_MODEL_NODES] = {false};

    subject->model = graph_model_random(seed);
    subject->graph = graph_model_graph(&subject->model);
    graph_model_reach(&subject->model, none, subject->reached);
    CHECK_OK(mw_dominators_init(&subject->tree, &subject->graph, mw_alloc_system()));
}

static void subject_done(test_subject *subject)
{
    mw_dominators_done(&subject->tree);
    mw_object_graph_done(&subject->graph);
}

static bool is_below(const test_subject *subject, uint32_t node, uint32_t above)
{
    return mw_dominators_is_below(&subject->tree, subject->tree.position_of[node],
                                  subject->tree.position_of[above]);
}

/* Whether a reached node of the same type dominates [node]. */
static bool has_own_kind_above(const test_subject *subject, uint32_t node)
{
    for (uint32_t above = 1; above < subject->model.node_count; above++)
        if (above != node && subject->reached[above] &&
            subject->model.type[above] == subject->model.type[node] &&
            is_below(subject, node, above))
            return true;
    return false;
}

TEST(retained, by_group_counts_the_topmost_members_alone)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_retained_sum sums[GRAPH_MODEL_TYPES] = {{0}}, expected[GRAPH_MODEL_TYPES] = {{0}};
        mw_grouping grouping;
        test_subject subject;

        subject_init(&subject, seed);
        grouping = mw_grouping_by_type(&subject.graph, GRAPH_MODEL_TYPES);
        CHECK_OK(mw_retained_by_group(&subject.tree, &grouping, mw_alloc_system(), sums));
        for (uint32_t node = 1; node < subject.model.node_count; node++) {
            mw_retained_sum *sum = &expected[subject.model.type[node]];

            if (!subject.reached[node])
                continue;
            sum->objects++;
            sum->bytes += subject.model.size[node];
            if (!has_own_kind_above(&subject, node))
                sum->retained_bytes +=
                    mw_dominators_retained(&subject.tree, subject.tree.position_of[node]);
        }
        assert_memory_equal(sums, expected, sizeof sums);
        subject_done(&subject);
    }
}

TEST(retained, below_a_node_is_what_it_dominates)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_retained_sum sums[GRAPH_MODEL_TYPES] = {{0}}, expected[GRAPH_MODEL_TYPES] = {{0}};
        mw_grouping grouping;
        test_subject subject;
        uint32_t top;

        subject_init(&subject, seed);
        grouping = mw_grouping_by_type(&subject.graph, GRAPH_MODEL_TYPES);
        top = subject.graph.roots[0].node;
        mw_retained_below(&subject.tree, subject.tree.position_of[top], &grouping, sums);
        for (uint32_t node = 1; node < subject.model.node_count; node++)
            if (subject.reached[node] && is_below(&subject, node, top)) {
                expected[subject.model.type[node]].objects++;
                expected[subject.model.type[node]].bytes += subject.model.size[node];
            }
        assert_memory_equal(sums, expected, sizeof sums);
        subject_done(&subject);
    }
}

TEST(retained, together_is_what_is_not_reached_without_them)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool removed[GRAPH_MODEL_NODES] = {false}, without[GRAPH_MODEL_NODES];
        uint32_t members[GRAPH_MODEL_NODES];
        uint32_t member_count = 0;
        uint64_t expected = 0, alone = 0;
        mw_retained_sum sum;
        test_subject subject;

        subject_init(&subject, seed);
        for (uint32_t node = 1; node < subject.model.node_count; node++)
            if (subject.reached[node] && subject.model.type[node] == 0) {
                members[member_count++] = node;
                removed[node] = true;
                if (!has_own_kind_above(&subject, node))
                    alone += mw_dominators_retained(&subject.tree, subject.tree.position_of[node]);
            }
        graph_model_reach(&subject.model, removed, without);
        for (uint32_t node = 1; node < subject.model.node_count; node++)
            if (subject.reached[node] && !without[node])
                expected += subject.model.size[node];
        CHECK_OK(mw_retained_together(&subject.graph, &subject.tree, members, member_count,
                                      mw_alloc_system(), &sum));
        CHECK_EQ(sum.retained_bytes, expected);
        CHECK_EQ(sum.objects, member_count);
        CHECK(sum.retained_bytes >= alone);
        subject_done(&subject);
    }
}

TEST(retained, largest_are_sorted_and_skip_links_of_chains)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint32_t positions[LIMIT];
        uint64_t last = UINT64_MAX;
        uint32_t count;
        test_subject subject;

        subject_init(&subject, seed);
        count = mw_retained_largest(&subject.tree, LIMIT, positions);
        CHECK(count >= 1 && count <= LIMIT);
        CHECK_EQ(mw_retained_largest(&subject.tree, 0, positions), 0);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t bytes = mw_dominators_retained(&subject.tree, positions[i]);
            uint32_t parent = subject.tree.parent[positions[i]];

            CHECK(bytes <= last);
            CHECK(parent == 0 ||
                  bytes <= mw_dominators_retained(&subject.tree, parent) / 10 * 9 + 9);
            last = bytes;
        }
        /* Nothing larger was left out, but for chains. */
        for (uint32_t at = 1; count == LIMIT && at < subject.tree.count; at++)
            CHECK(mw_dominators_retained(&subject.tree, at) <= last ||
                  subject.tree.parent[at] != 0 || at == positions[0] || at == positions[1] ||
                  at == positions[2] || at == positions[3] || at == positions[4]);
        subject_done(&subject);
    }
}

TEST(retained, returns_every_byte_whichever_allocation_fails)
{
    test_subject subject;
    const uint32_t nodes[] = {1, 2};

    subject_init(&subject, 5);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_retained_sum sums[GRAPH_MODEL_TYPES] = {{0}};
        mw_grouping grouping = mw_grouping_by_type(&subject.graph, GRAPH_MODEL_TYPES);
        mw_status status = mw_retained_by_group(&subject.tree, &grouping, &failing.base, sums);

        if (status == MW_OK)
            status = mw_retained_together(&subject.graph, &subject.tree, nodes, 2, &failing.base,
                                          &sums[0]);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    subject_done(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(retained, by_group_counts_the_topmost_members_alone),
        CASE(retained, below_a_node_is_what_it_dominates),
        CASE(retained, together_is_what_is_not_reached_without_them),
        CASE(retained, largest_are_sorted_and_skip_links_of_chains),
        CASE(retained, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("retained", tests, NULL, NULL);
}
