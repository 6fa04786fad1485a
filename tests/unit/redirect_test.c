/* SPDX-License-Identifier: MIT
 *
 * Arguments: the files of redirect_library, and of redirect_caller bound lazily and at once.
 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "native/redirect.h"

#include "native/page_access.h"
#include "testing.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

enum { LAZY, NOW, CALLERS, THREADS = 3, ROUNDS = 200 };

typedef int function(int number);

static const char *library_file;
static const char *caller_files[CALLERS];

/* ── what is called instead ──────────────────────────────────────────────────────── */

enum { ONE, TWO, NOBODYS, TARGETS };

static mw_redirect_target targets[TARGETS];

static int instead_of_one(int number)
{
    return ((function *)targets[ONE].original)(number) + 1000;
}

static int instead_of_two(int number)
{
    return ((function *)targets[TWO].original)(number) + 2000;
}

static int instead_of_nobodys(int number)
{
    return number;
}

static int foreign(int number)
{
    return number + 77;
}

static mw_redirect new_redirect(mw_alloc *alloc)
{
    mw_redirect redirect;

    targets[ONE] =
        (mw_redirect_target){.name = "subject_one", .replacement = (void *)instead_of_one};
    targets[TWO] =
        (mw_redirect_target){.name = "subject_two", .replacement = (void *)instead_of_two};
    targets[NOBODYS] =
        (mw_redirect_target){.name = "subject_nobodys", .replacement = (void *)instead_of_nobodys};
    mw_redirect_init(&redirect, alloc, targets, TARGETS);
    return redirect;
}

/* ── the callers ─────────────────────────────────────────────────────────────────── */

typedef struct caller {
    void *handle;
    function *calls_one, *calls_two, *calls_one_by_pointer, *calls_one_by_table;
    function *const *constant_table;
    function **variable_table;
} caller;

static caller load(int which)
{
    caller self = {.handle = dlopen(caller_files[which], RTLD_LOCAL | RTLD_LAZY)};
    function *const *(*constant_table)(void);
    function **(*variable_table)(void);

    assert_non_null(self.handle);
    self.calls_one = (function *)dlsym(self.handle, "caller_calls_one");
    self.calls_two = (function *)dlsym(self.handle, "caller_calls_two");
    self.calls_one_by_pointer = (function *)dlsym(self.handle, "caller_calls_one_by_pointer");
    self.calls_one_by_table = (function *)dlsym(self.handle, "caller_calls_one_by_table");
    constant_table = (function *const *(*)(void))dlsym(self.handle, "caller_constant_table");
    variable_table = (function * *(*)(void)) dlsym(self.handle, "caller_variable_table");
    self.constant_table = constant_table();
    self.variable_table = variable_table();
    return self;
}

static void unload(caller *self)
{
    CHECK_EQ(dlclose(self->handle), 0);
}

static void check_calls(const caller *self, int added_to_one, int added_to_two)
{
    CHECK_EQ(self->calls_one(5), 6 + added_to_one);
    CHECK_EQ(self->calls_one_by_pointer(5), 6 + added_to_one);
    CHECK_EQ(self->calls_one_by_table(5), 6 + added_to_one);
    CHECK_EQ(self->variable_table[0](5), 6 + added_to_one);
    CHECK_EQ(self->calls_two(5), 7 + added_to_two);
    CHECK_EQ(self->constant_table[1](5), 7 + added_to_two);
    CHECK_EQ(self->variable_table[1](5), 7 + added_to_two);
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

TEST(redirect, takes_calls_and_pointers_and_gives_them_back)
{
    for (int which = 0; which < CALLERS; which++) {
        mw_redirect redirect = new_redirect(mw_alloc_system());
        caller subject = load(which);

        for (int round = 0; round < 3; round++) {
            mw_redirect_apply(&redirect);
            check_calls(&subject, 1000, 2000);
            /* The call, the pointer that the code loads, and both tables. */
            CHECK(mw_redirect_count(&redirect, ONE) >= 3);
            CHECK(mw_redirect_count(&redirect, TWO) >= 3);
            CHECK_EQ(mw_redirect_count(&redirect, NOBODYS), 0);
            CHECK_EQ(redirect.foreign_count + redirect.refused_count, 0);
            mw_redirect_undo(&redirect);
            check_calls(&subject, 0, 0);
            CHECK_EQ(mw_redirect_count(&redirect, ONE), 0);
        }
        assert_null(targets[NOBODYS].original);
        mw_redirect_done(&redirect);
        unload(&subject);
    }
}

/* Nothing has been called before, so the slots hold stubs; and again after the undo. */
TEST(redirect, takes_a_function_before_its_first_call_and_lets_it_be_bound_afterwards)
{
    mw_redirect redirect = new_redirect(mw_alloc_system());
    caller subject = load(LAZY);

    mw_redirect_apply(&redirect);
    CHECK_EQ(subject.calls_one(5), 1006);
    mw_redirect_undo(&redirect);
    CHECK_EQ(subject.calls_one(5), 6);
    CHECK_EQ(subject.calls_two(5), 7);
    mw_redirect_done(&redirect);
    unload(&subject);
}

TEST(redirect, leaves_pages_as_protected_as_it_found_them)
{
    for (int which = 0; which < CALLERS; which++) {
        mw_redirect redirect = new_redirect(mw_alloc_system());
        caller subject = load(which);

        CHECK(!mw_page_is_writable((uintptr_t)subject.constant_table));
        CHECK(mw_page_is_writable((uintptr_t)subject.variable_table));
        mw_redirect_apply(&redirect);
        CHECK(!mw_page_is_writable((uintptr_t)subject.constant_table));
        CHECK(mw_page_is_writable((uintptr_t)subject.variable_table));
        mw_redirect_undo(&redirect);
        CHECK(!mw_page_is_writable((uintptr_t)subject.constant_table));
        mw_redirect_done(&redirect);
        unload(&subject);
    }
}

TEST(redirect, leaves_alone_what_somebody_else_has_put_there)
{
    mw_redirect redirect = new_redirect(mw_alloc_system());
    caller subject = load(NOW);

    subject.variable_table[0] = foreign;
    mw_redirect_apply(&redirect);
    CHECK_EQ(redirect.foreign_count, 1);
    CHECK_EQ(subject.variable_table[0](5), 82);
    CHECK_EQ(subject.variable_table[1](5), 2007);
    subject.variable_table[1] = foreign;
    mw_redirect_undo(&redirect);
    CHECK_EQ(subject.variable_table[0](5), 82);
    CHECK_EQ(subject.variable_table[1](5), 82);
    CHECK_EQ(subject.calls_two(5), 7);
    mw_redirect_done(&redirect);
    unload(&subject);
}

TEST(redirect, takes_a_library_that_is_loaded_later_when_asked_again)
{
    mw_redirect redirect = new_redirect(mw_alloc_system());
    caller first = load(LAZY);
    caller second;

    mw_redirect_refresh(&redirect);
    check_calls(&first, 0, 0);
    mw_redirect_apply(&redirect);
    second = load(NOW);
    check_calls(&second, 0, 0);
    mw_redirect_refresh(&redirect);
    check_calls(&first, 1000, 2000);
    check_calls(&second, 1000, 2000);
    mw_redirect_undo(&redirect);
    check_calls(&first, 0, 0);
    check_calls(&second, 0, 0);
    mw_redirect_done(&redirect);
    unload(&second);
    unload(&first);
}

TEST(redirect, forgets_libraries_that_have_been_unloaded)
{
    mw_redirect redirect = new_redirect(mw_alloc_system());
    caller keeper = load(LAZY);
    uint32_t slots = 0;

    mw_redirect_apply(&redirect);
    for (int round = 0; round < 20; round++) {
        caller subject = load(NOW);

        mw_redirect_refresh(&redirect);
        check_calls(&subject, 1000, 2000);
        unload(&subject);
        /* It comes back to the same place as a rule; its slots are not counted twice. */
        slots = round == 0 ? redirect.slot_count : slots;
    }
    CHECK(redirect.slot_count <= 4 * slots);
    mw_redirect_undo(&redirect);
    check_calls(&keeper, 0, 0);
    mw_redirect_done(&redirect);
    unload(&keeper);
}

static bool is_a_lazy_caller(const mw_elf_image *image, const char *file)
{
    (void)image;
    return strstr(file, "redirect_caller_lazy") != NULL;
}

TEST(redirect, asks_which_objects_are_wanted)
{
    mw_redirect redirect = new_redirect(mw_alloc_system());
    caller wanted = load(LAZY);
    caller other = load(NOW);

    targets[ONE].is_wanted = is_a_lazy_caller;
    mw_redirect_apply(&redirect);
    check_calls(&wanted, 1000, 2000);
    check_calls(&other, 0, 2000);
    mw_redirect_done(&redirect);
    check_calls(&wanted, 0, 0);
    unload(&other);
    unload(&wanted);
}

TEST(redirect, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;
    caller subject = load(NOW);

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_redirect redirect = new_redirect(&failing.base);

        mw_redirect_apply(&redirect);
        refused = redirect.refused_count;
        mw_redirect_done(&redirect);
        check_calls(&subject, 0, 0);
        CHECK_EQ(failing.live_blocks, 0);
    }
    unload(&subject);
}

/* ── many threads ────────────────────────────────────────────────────────────────── */

static atomic_bool is_over;

/* The processor reads a pointer whole; the compiler is to do so as well. */
static int call_entry(function *const *entry, int number)
{
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE)(number);
}

static void *call(void *argument)
{
    const caller *subject = argument;

    while (!atomic_load(&is_over)) {
        int answer = subject->calls_one(5);

        CHECK(answer == 6 || answer == 1006);
        answer = call_entry(&subject->constant_table[1], 5);
        CHECK(answer == 7 || answer == 2007);
    }
    return NULL;
}

/* The dynamic linker has its own, of which a sanitizer does not know. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static void *load_and_refresh(void *argument)
{
    mw_redirect *redirect = argument;

    while (!atomic_load(&is_over)) {
        caller subject;

        pthread_mutex_lock(&loading);
        subject = load(NOW);
        pthread_mutex_unlock(&loading);
        mw_redirect_refresh(redirect);
        CHECK(subject.calls_one(5) % 1000 == 6);
        pthread_mutex_lock(&loading);
        unload(&subject);
        pthread_mutex_unlock(&loading);
    }
    return NULL;
}

TEST(redirect, may_be_applied_and_undone_while_others_call_and_load)
{
    mw_redirect redirect = new_redirect(mw_alloc_pages());
    caller subject = load(LAZY);
    pthread_t threads[THREADS];

    atomic_store(&is_over, false);
    CHECK_EQ(pthread_create(&threads[0], NULL, call, &subject), 0);
    for (int i = 1; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, load_and_refresh, &redirect), 0);
    for (int round = 0; round < ROUNDS; round++) {
        mw_redirect_apply(&redirect);
        CHECK_EQ(subject.constant_table[0](5), 1006);
        mw_redirect_undo(&redirect);
        CHECK_EQ(subject.constant_table[0](5), 6);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    mw_redirect_done(&redirect);
    check_calls(&subject, 0, 0);
    unload(&subject);
}

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        CASE(redirect, takes_calls_and_pointers_and_gives_them_back),
        CASE(redirect, takes_a_function_before_its_first_call_and_lets_it_be_bound_afterwards),
        CASE(redirect, leaves_pages_as_protected_as_it_found_them),
        CASE(redirect, leaves_alone_what_somebody_else_has_put_there),
        CASE(redirect, takes_a_library_that_is_loaded_later_when_asked_again),
        CASE(redirect, forgets_libraries_that_have_been_unloaded),
        CASE(redirect, asks_which_objects_are_wanted),
        CASE(redirect, returns_every_byte_whichever_allocation_fails),
        CASE(redirect, may_be_applied_and_undone_while_others_call_and_load),
    };

    if (argument_count != 2 + CALLERS)
        return 2;
    library_file = arguments[1];
    caller_files[LAZY] = arguments[2];
    caller_files[NOW] = arguments[3];
    /* It stays, so that its functions are at the same addresses in all tests. */
    if (dlopen(library_file, RTLD_GLOBAL | RTLD_NOW) == NULL)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
