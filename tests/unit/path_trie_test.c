/* SPDX-License-Identifier: MIT */
#include "core/path_trie.h"

#include "core/code_table.h"

#include "testing.h"

enum { SEEDS = 5, STEPS = 6000, INSTRUCTIONS = 40, DEEP = 200000 };

/* The slow twin: node 1 … count - 1 in the order of arrival. */
typedef struct trie_twin {
    struct {
        uint32_t caller, instruction;
    } nodes[STEPS + 1];
    uint32_t count;
} trie_twin;

static uint32_t twin_find(const trie_twin *twin, mw_path caller, mw_instruction instruction)
{
    for (uint32_t i = 1; i < twin->count; i++)
        if (twin->nodes[i].caller == caller.index &&
            twin->nodes[i].instruction == instruction.index)
            return i;
    return 0;
}

static uint32_t twin_child(trie_twin *twin, mw_path caller, mw_instruction instruction)
{
    uint32_t found = twin_find(twin, caller, instruction);

    if (found != 0)
        return found;
    twin->nodes[twin->count].caller = caller.index;
    twin->nodes[twin->count].instruction = instruction.index;
    return twin->count++;
}

/* Small numbers, thread roots, and everything between. */
static mw_instruction random_instruction(mw_random *random)
{
    uint32_t number = mw_random_below(random, INSTRUCTIONS);

    return (mw_instruction){number % 3 == 0 ? number : (number % 3 == 1 ? number << 20 : ~number)};
}

TEST(path_trie, numbers_paths_like_a_list_that_is_searched)
{
    static trie_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_path_trie trie;

        twin.count = 1;
        CHECK_OK(mw_path_trie_init(&trie, &failing.base));
        for (uint32_t step = 0; step < STEPS; step++) {
            mw_path caller = {mw_random_below(&random, twin.count)};
            mw_instruction instruction = random_instruction(&random);
            uint32_t known = twin_find(&twin, caller, instruction);
            mw_path path;

            CHECK_EQ(mw_path_trie_find(&trie, caller, instruction).index, known);
            CHECK_OK(mw_path_trie_child(&trie, caller, instruction, &path));
            CHECK_EQ(path.index, twin_child(&twin, caller, instruction));
            CHECK_EQ(mw_path_trie_caller(&trie, path).index, caller.index);
            CHECK_EQ(mw_path_trie_instruction(&trie, path).index, instruction.index);
            if (step % 500 == 0)
                CHECK(mw_path_trie_is_consistent(&trie));
        }
        CHECK_EQ(trie.count, twin.count);
        CHECK(mw_path_trie_memory_bytes(&trie) <= failing.live_bytes);
        mw_path_trie_done(&trie);
        mw_path_trie_done(&trie);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

enum { STACK_MAXIMUM = 200, WALKS = 400 };

/* A stack of a few functions, so that many begin as others do; a tenth is transparent. */
static uint32_t random_stack(mw_random *random, mw_instruction *instructions)
{
    uint32_t count = mw_random_below(random, STACK_MAXIMUM + 1);
    uint32_t functions = 1 + mw_random_below(random, 3);

    for (uint32_t i = 0; i < count; i++) {
        instructions[i].index = 1 + (i + i / 50) % functions;
        if (mw_random_below(random, 40) == 0)
            instructions[i] = random_instruction(random);
        if (mw_random_below(random, 10) == 0)
            instructions[i].index = MW_INSTRUCTION_TRANSPARENT;
    }
    return count;
}

static void check_paths_one_by_one(mw_path_trie *trie, mw_path caller,
                                   const mw_instruction *instructions, uint32_t count,
                                   const mw_path *paths)
{
    for (uint32_t i = 0; i < count; i++) {
        if (instructions[i].index != MW_INSTRUCTION_TRANSPARENT)
            caller = mw_path_trie_find(trie, caller, instructions[i]);
        CHECK_EQ(paths[i].index, caller.index);
    }
}

TEST(path_trie, extends_a_path_as_its_children_would_one_by_one)
{
    uint32_t walks_while_moving = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        mw_instruction instructions[STACK_MAXIMUM];
        mw_path paths[STACK_MAXIMUM];
        mw_path_trie trie, twin;

        CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
        CHECK_OK(mw_path_trie_init(&twin, mw_alloc_system()));
        for (uint32_t walk = 0; walk < WALKS; walk++) {
            mw_path caller = {mw_random_below(&random, 2) ? 0
                                                          : mw_random_below(&random, trie.count)};
            uint32_t count = random_stack(&random, instructions);
            mw_path child = caller;

            walks_while_moving += mw_path_trie_is_moving(&trie);
            CHECK_OK(mw_path_trie_extend(&trie, caller, instructions, count, paths));
            check_paths_one_by_one(&trie, caller, instructions, count, paths);
            for (uint32_t i = 0; i < count; i++)
                if (instructions[i].index != MW_INSTRUCTION_TRANSPARENT)
                    CHECK_OK(mw_path_trie_child(&twin, child, instructions[i], &child));
            CHECK_EQ(trie.count, twin.count);
            if (count != 0)
                CHECK_EQ(paths[count - 1].index, child.index);
        }
        CHECK(mw_path_trie_is_consistent(&trie));
        mw_path_trie_done(&trie);
        mw_path_trie_done(&twin);
    }
    CHECK(walks_while_moving > 0);
}

/* What a single new node pays is bounded, however many there are. */
TEST(path_trie, grows_by_a_few_nodes_at_a_time)
{
    mw_path_trie trie;
    uint32_t growths = 0;
    mw_path path = {0};

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_pages()));
    for (uint32_t number = 1; number < DEEP; number++) {
        mw_path_trie before = trie;

        CHECK_OK(mw_path_trie_child(&trie, (mw_path){number % 1000 ? path.index : 0},
                                    (mw_instruction){number}, &path));
        CHECK_EQ(path.index, number);
        if (before.slot_bits != trie.slot_bits) {
            growths++;
            CHECK(!mw_path_trie_is_moving(&before));
            CHECK(before.former == NULL);
            CHECK_EQ(trie.moving_next, 1);
        } else {
            CHECK(trie.moving_next - before.moving_next <= 8);
            CHECK(before.former_bytes - trie.former_bytes <= 1 << 16);
        }
        if (number % 20011 == 0)
            CHECK(mw_path_trie_is_consistent(&trie));
    }
    CHECK(growths >= 5);
    CHECK(mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

/* Recursion is the worst that can happen to a hash that is made from the caller's. */
TEST(path_trie, holds_a_recursion_of_any_depth)
{
    for (uint32_t functions = 1; functions <= 3; functions++) {
        mw_path_trie trie;
        mw_path path = {0};

        CHECK_OK(mw_path_trie_init(&trie, mw_alloc_pages()));
        for (uint32_t depth = 0; depth < DEEP; depth++)
            CHECK_OK(
                mw_path_trie_child(&trie, path, (mw_instruction){1 + depth % functions}, &path));
        CHECK_EQ(path.index, DEEP);
        CHECK(mw_path_trie_is_consistent(&trie));
        for (uint32_t depth = DEEP; depth > 0; depth--) {
            CHECK_EQ(path.index, depth);
            path = mw_path_trie_caller(&trie, path);
        }
        CHECK_EQ(path.index, 0);
        mw_path_trie_done(&trie);
    }
}

/* As if so many paths were there already: their memory is never touched. */
static void use_up_numbers(mw_path_trie *trie, uint32_t count)
{
    mw_alloc *pages = mw_alloc_pages();

    CHECK_OK(mw_path_trie_init(trie, pages));
    trie->nodes = pages->resize(pages, trie->nodes, trie->capacity * sizeof *trie->nodes,
                                ((size_t)MW_PATH_MAXIMUM + 1) * sizeof *trie->nodes);
    assert_non_null(trie->nodes);
    trie->capacity = MW_PATH_MAXIMUM + 1;
    mw_alloc_release(pages, trie->slots, sizeof *trie->slots << trie->slot_bits);
    trie->slot_bits = 27;
    trie->slots = mw_alloc_array(pages, (size_t)1 << trie->slot_bits, sizeof *trie->slots);
    assert_non_null(trie->slots);
    trie->count = count;
}

TEST(path_trie, forgets_callers_when_numbers_are_used_up)
{
    const mw_instruction thread = {MW_INSTRUCTION_THREAD | 1};
    mw_path_trie trie;
    mw_path known, root, path, other;

    use_up_numbers(&trie, MW_PATH_LAST_WHOLE - 1);
    CHECK_OK(mw_path_trie_child(&trie, (mw_path){0}, thread, &root));
    CHECK_OK(mw_path_trie_child(&trie, root, (mw_instruction){7}, &known));
    CHECK_EQ(trie.count, MW_PATH_LAST_WHOLE + 1);
    CHECK_OK(mw_path_trie_child(&trie, known, (mw_instruction){8}, &path));
    CHECK_OK(mw_path_trie_child(&trie, root, (mw_instruction){8}, &other));
    CHECK_EQ(path.index, other.index);
    CHECK(mw_path_trie_is_cut(&trie, path));
    CHECK_EQ(mw_path_trie_caller(&trie, mw_path_trie_caller(&trie, path)).index, root.index);
    CHECK_OK(mw_path_trie_child(&trie, root, (mw_instruction){7}, &path));
    CHECK_EQ(path.index, known.index);
    CHECK(!mw_path_trie_is_cut(&trie, path));
    /* And when there is no number at all, not even that of the instruction. */
    trie.count = MW_PATH_MAXIMUM + 1;
    CHECK_OK(mw_path_trie_child(&trie, known, (mw_instruction){9}, &path));
    CHECK_EQ(path.index, mw_path_trie_caller(&trie, other).index);
    mw_path_trie_done(&trie);
}

TEST(path_trie, refuses_when_not_one_path_fits)
{
    mw_path_trie trie;
    mw_path path = {77};

    use_up_numbers(&trie, MW_PATH_MAXIMUM + 1);
    CHECK_EQ(mw_path_trie_child(&trie, (mw_path){0}, (mw_instruction){1}, &path), MW_LIMIT);
    CHECK_EQ(
        mw_path_trie_child(&trie, (mw_path){0}, (mw_instruction){MW_INSTRUCTION_THREAD | 1}, &path),
        MW_LIMIT);
    mw_path_trie_done(&trie);
}

/* ── out of budget ───────────────────────────────────────────────────────────────── */

enum { PATH_LENGTH_MAXIMUM = 40, PATHS_MAXIMUM = 4000, FUNCTIONS = 12, LINES = 3 };

/* A path, written out from the outside in. */
typedef struct written_path {
    uint32_t instructions[PATH_LENGTH_MAXIMUM];
    uint32_t length;
} written_path;

/* The slow twin: all paths that there are, and the stage. */
typedef struct bounded_twin {
    written_path paths[PATHS_MAXIMUM];
    uint32_t count;
    mw_stage stage;
} bounded_twin;

static written_path with(written_path path, uint32_t instruction)
{
    path.instructions[path.length++] = instruction;
    return path;
}

static bool twin_has(const bounded_twin *twin, const written_path *path)
{
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->paths[i].length == path->length &&
            memcmp(twin->paths[i].instructions, path->instructions,
                   path->length * sizeof path->instructions[0]) == 0)
            return true;
    return false;
}

static written_path twin_put(bounded_twin *twin, written_path path)
{
    if (!twin_has(twin, &path))
        twin->paths[twin->count++] = path;
    return path;
}

static uint32_t function_of(uint32_t instruction)
{
    return instruction < MW_INSTRUCTION_THREAD ? 1 + (instruction - 1) / LINES : 0;
}

/* Cuts [path] back to before the fourth frame of one function. */
static written_path folded(written_path path, uint32_t function)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < path.length; i++)
        if (function_of(path.instructions[i]) == function && ++seen == MW_FOLD_COUNT)
            path.length = i;
    return path;
}

static written_path twin_bounded_child(bounded_twin *twin, written_path caller,
                                       uint32_t instruction)
{
    written_path path = with(caller, instruction);
    written_path cut = {0};

    if (twin_has(twin, &path) || twin->stage == MW_STAGE_EXACT)
        return twin_put(twin, path);
    path = with(folded(caller, function_of(instruction)), instruction);
    if (twin_has(twin, &path) || twin->stage == MW_STAGE_FOLDED)
        return twin_put(twin, path);
    if (caller.length != 0 && caller.instructions[0] >= MW_INSTRUCTION_THREAD)
        cut = with(cut, caller.instructions[0]);
    if (cut.length == 0 || cut.instructions[0] != MW_INSTRUCTION_CUT)
        cut = twin_put(twin, with(cut, MW_INSTRUCTION_CUT));
    return twin_put(twin, with(cut, instruction));
}

static written_path written(const mw_path_trie *trie, mw_path path)
{
    written_path inside_out = {0}, result = {0};

    for (; path.index != 0; path = mw_path_trie_caller(trie, path))
        inside_out = with(inside_out, mw_path_trie_instruction(trie, path).index);
    while (inside_out.length > 0)
        result = with(result, inside_out.instructions[--inside_out.length]);
    return result;
}

/* A trie with a budget, and instructions of a few functions. */
typedef struct bounded_trie {
    mw_path_trie trie;
    mw_budget budget;
    mw_code_table codes;
    mw_instruction_row rows[FUNCTIONS * LINES + 1];
} bounded_trie;

static void bounded_init(bounded_trie *self, mw_alloc *alloc)
{
    mw_budget_init(&self->budget, alloc);
    mw_budget_open(&self->budget, (size_t)1 << 40);
    for (uint32_t i = 1; i <= FUNCTIONS * LINES; i++)
        self->rows[i].code = function_of(i);
    self->codes = (mw_code_table){.instructions = self->rows};
}

/* Walks like a program: a call from a path seen a moment ago, or a thread's first. */
static uint32_t random_call(mw_random *random)
{
    return 1 + mw_random_below(random, mw_random_below(random, 3) == 0 ? FUNCTIONS * LINES : 4);
}

TEST(path_trie, gives_up_detail_like_a_list_of_written_paths)
{
    static bounded_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        mw_path path = {0};
        written_path model = {0};
        bounded_trie self;

        memset(&twin, 0, sizeof twin);
        bounded_init(&self, mw_alloc_system());
        CHECK_OK(mw_path_trie_init(&self.trie, mw_alloc_system()));
        CHECK_OK(mw_path_trie_limit(&self.trie, &self.budget, &self.codes));
        twin_put(&twin, with(model, MW_INSTRUCTION_CUT));
        for (uint32_t step = 0; step < 3000; step++) {
            twin.stage = (mw_stage)(step / 1000);
            atomic_store(&self.budget.stage, (uint8_t)twin.stage);
            if (model.length > PATH_LENGTH_MAXIMUM - 4 || mw_random_below(&random, 15) == 0) {
                uint32_t thread = MW_INSTRUCTION_THREAD | (1 + mw_random_below(&random, 2));

                path = (mw_path){0};
                model = (written_path){0};
                CHECK_OK(mw_path_trie_child(&self.trie, path, (mw_instruction){thread}, &path));
                model = twin_put(&twin, with(model, thread));
            }
            mw_instruction called = {random_call(&random)};

            CHECK_OK(mw_path_trie_child(&self.trie, path, called, &path));
            model = twin_bounded_child(&twin, model, called.index);
            written_path found = written(&self.trie, path);

            CHECK_EQ(found.length, model.length);
            assert_memory_equal(found.instructions, model.instructions,
                                model.length * sizeof model.instructions[0]);
        }
        CHECK_EQ(self.trie.count, twin.count + 1);
        CHECK(self.trie.folded_frames > 0);
        CHECK(mw_path_trie_is_consistent(&self.trie));
        mw_path_trie_done(&self.trie);
    }
}

/* Recursion as deep as can be, by whole stacks. */
TEST(path_trie, extends_folded_and_cut_paths_as_its_children_would)
{
    uint32_t exact_count = 0;

    for (uint32_t stage = MW_STAGE_EXACT; stage <= MW_STAGE_COARSE; stage++) {
        mw_random random = mw_random_of(stage);
        mw_instruction instructions[STACK_MAXIMUM];
        mw_path paths[STACK_MAXIMUM];
        bounded_trie self;

        bounded_init(&self, mw_alloc_system());
        CHECK_OK(mw_path_trie_init(&self.trie, mw_alloc_system()));
        CHECK_OK(mw_path_trie_limit(&self.trie, &self.budget, &self.codes));
        for (uint32_t walk = 0; walk < WALKS; walk++) {
            mw_path path = {0};

            if (walk == WALKS / 4)
                atomic_store(&self.budget.stage, (uint8_t)stage);
            for (uint32_t i = 0; i < STACK_MAXIMUM; i++)
                instructions[i].index = i == 0 ? MW_INSTRUCTION_THREAD | 1 : random_call(&random);
            CHECK_OK(mw_path_trie_extend(&self.trie, path, instructions, STACK_MAXIMUM, paths));
            for (uint32_t i = 0; i < STACK_MAXIMUM; i++) {
                CHECK_OK(mw_path_trie_child(&self.trie, path, instructions[i], &path));
                CHECK_EQ(paths[i].index, path.index);
            }
        }
        if (stage == MW_STAGE_EXACT)
            exact_count = self.trie.count;
        else
            CHECK(self.trie.count < exact_count);
        CHECK(mw_path_trie_is_consistent(&self.trie));
        mw_path_trie_done(&self.trie);
    }
}

/* What a stack was given it is given again, whatever was refused in between: marks in
 * frames rely on it. */
TEST(path_trie, gives_a_stack_its_path_again_whichever_allocation_fails)
{
    enum { ASKED = 5000 };
    static struct {
        mw_path caller, path;
        mw_instruction instruction;
    } asked[ASKED];
    bool was_refused = true;

    for (size_t nth = 4; was_refused; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_random random = mw_random_of(1);
        bounded_trie self;

        bounded_init(&self, &failing.base);
        CHECK_OK(mw_path_trie_init(&self.trie, &self.budget.counted));
        CHECK_OK(mw_path_trie_limit(&self.trie, &self.budget, &self.codes));
        for (uint32_t i = 0; i < ASKED; i++) {
            asked[i].caller.index = mw_random_below(&random, self.trie.count);
            asked[i].instruction.index = random_call(&random);
            if (i == ASKED / 2) {
                was_refused = failing.requests > failing.nth;
                failing.nth = SIZE_MAX;
            }
            CHECK_OK(mw_path_trie_child(&self.trie, asked[i].caller, asked[i].instruction,
                                        &asked[i].path));
        }
        for (uint32_t i = 0; i < ASKED; i++) {
            mw_path path;

            CHECK_OK(mw_path_trie_child(&self.trie, asked[i].caller, asked[i].instruction, &path));
            CHECK_EQ(path.index, asked[i].path.index);
        }
        CHECK(mw_path_trie_is_consistent(&self.trie));
        mw_path_trie_done(&self.trie);
        CHECK_EQ(failing.live_blocks, 0);
        CHECK_EQ(atomic_load(&self.budget.used_bytes), 0);
    }
}

/* ── memory ──────────────────────────────────────────────────────────────────────── */

static uint32_t extend_many(mw_path_trie *trie)
{
    mw_random random = mw_random_of(4);
    mw_instruction instructions[STACK_MAXIMUM];
    mw_path paths[STACK_MAXIMUM];
    uint32_t refused = 0;

    for (uint32_t walk = 0; walk < 50; walk++) {
        uint32_t count = random_stack(&random, instructions);
        mw_status status = mw_path_trie_extend(trie, (mw_path){0}, instructions, count, paths);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        refused += status != MW_OK;
    }
    return refused;
}

static uint32_t add_many(mw_path_trie *trie)
{
    mw_random random = mw_random_of(3);
    uint32_t refused = extend_many(trie);

    for (uint32_t step = 0; step < STEPS; step++) {
        mw_path caller = {mw_random_below(&random, trie->count)}, path;
        mw_status status = mw_path_trie_child(trie, caller, random_instruction(&random), &path);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        refused += status != MW_OK;
    }
    return refused;
}

TEST(path_trie, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_path_trie trie;

        if (mw_path_trie_init(&trie, &failing.base) == MW_OK) {
            refused = add_many(&trie);
            CHECK(mw_path_trie_is_consistent(&trie));
            failing.nth = SIZE_MAX;
            CHECK_EQ(add_many(&trie), 0);
            CHECK(mw_path_trie_is_consistent(&trie));
        }
        mw_path_trie_done(&trie);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(path_trie, is_consistent_sees_what_is_wrong)
{
    mw_path_trie trie;
    uint32_t caller;

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
    CHECK_EQ(add_many(&trie), 0);
    caller = trie.nodes[7].caller;
    trie.nodes[7].hash ^= 1;
    CHECK(!mw_path_trie_is_consistent(&trie));
    trie.nodes[7].hash ^= 1;
    trie.nodes[7].caller = 8;
    CHECK(!mw_path_trie_is_consistent(&trie));
    trie.nodes[7].caller = caller;
    CHECK(mw_path_trie_is_consistent(&trie));
    trie.moving_next--; /* as if a node that was moved still waited */
    CHECK(!mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(path_trie, numbers_paths_like_a_list_that_is_searched),
        CASE(path_trie, extends_a_path_as_its_children_would_one_by_one),
        CASE(path_trie, grows_by_a_few_nodes_at_a_time),
        CASE(path_trie, holds_a_recursion_of_any_depth),
        CASE(path_trie, forgets_callers_when_numbers_are_used_up),
        CASE(path_trie, refuses_when_not_one_path_fits),
        CASE(path_trie, gives_up_detail_like_a_list_of_written_paths),
        CASE(path_trie, extends_folded_and_cut_paths_as_its_children_would),
        CASE(path_trie, gives_a_stack_its_path_again_whichever_allocation_fails),
        CASE(path_trie, returns_every_byte_whichever_allocation_fails),
        CASE(path_trie, is_consistent_sees_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
