/* SPDX-License-Identifier: MIT */
#include "native/detour.h"

#include "testing.h"

#if defined(__x86_64__)

#include <pthread.h>

/* Begins as CPython's functions do, with a load relative to the instruction, whatever the
 * compiler's flags: one instruction of six bytes, so nobody stands within what is covered. */
__asm__(".text\n"
        ".p2align 4\n"
        "multiply:\n"
        "movl factor(%rip), %eax\n"
        "imull %edi, %eax\n"
        "ret\n"
        ".data\n"
        "factor: .long 2\n"
        ".text\n");

int multiply(int number);

static mw_detour detour;

static int on_multiply(int number)
{
    return 1000 + ((int (*)(int))detour.original)(number);
}

static void arm(void)
{
    const char *reason = mw_detour_make(&detour, (void *)multiply, (void *)on_multiply);

    if (reason == NULL)
        reason = mw_detour_arm(&detour);
    if (reason != NULL)
        fail_msg("%s", reason);
}

TEST(detour, sends_callers_to_the_replacement_until_it_is_disarmed)
{
    CHECK_EQ(multiply(21), 42);
    arm();
    CHECK_EQ(multiply(21), 1042);
    mw_detour_disarm(&detour);
    CHECK_EQ(multiply(21), 42);
}

TEST(detour, leaves_the_code_as_it_was)
{
    uint8_t before[32], during[32], after[32];

    memcpy(before, (void *)multiply, sizeof before);
    arm();
    memcpy(during, (void *)multiply, sizeof during);
    mw_detour_disarm(&detour);
    memcpy(after, (void *)multiply, sizeof after);
    assert_memory_not_equal(before, during, sizeof before);
    assert_memory_equal(before, after, sizeof before);
}

TEST(detour, can_be_armed_again_and_again)
{
    for (int round = 0; round < 1000; round++) {
        arm();
        arm();
        CHECK_EQ(multiply(round), 1000 + 2 * round);
        mw_detour_disarm(&detour);
        mw_detour_disarm(&detour);
        CHECK_EQ(multiply(round), 2 * round);
    }
}

static _Atomic bool is_over;

/* Returns the number of wrong answers. */
static void *call_until_over(void *unused)
{
    uintptr_t wrong = 0;

    (void)unused;
    while (!is_over) {
        int answer = multiply(21);

        wrong += answer != 42 && answer != 1042;
    }
    return (void *)wrong;
}

TEST(detour, is_armed_and_disarmed_while_others_call)
{
    pthread_t thread;
    void *wrong;

    CHECK_EQ(pthread_create(&thread, NULL, call_until_over, NULL), 0);
    for (int round = 0; round < 2000; round++) {
        arm();
        mw_detour_disarm(&detour);
    }
    is_over = true;
    CHECK_EQ(pthread_join(thread, &wrong), 0);
    CHECK(wrong == NULL);
}

TEST(detour, leaves_alone_what_somebody_else_has_changed)
{
    mw_detour second = {0};

    arm();
    /* Of the second, the first one's jump cannot be moved. */
    CHECK(mw_detour_make(&second, (void *)multiply, (void *)on_multiply) != NULL);
    CHECK(second.function == NULL);
    mw_detour_disarm(&detour);
    CHECK(mw_detour_make(&second, (void *)multiply, (void *)on_multiply) == NULL);
    arm();
    CHECK(mw_detour_arm(&second) != NULL);
    CHECK_EQ(multiply(21), 1042);
    mw_detour_disarm(&second);
    CHECK_EQ(multiply(21), 1042);
    mw_detour_disarm(&detour);
    CHECK_EQ(multiply(21), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(detour, sends_callers_to_the_replacement_until_it_is_disarmed),
        CASE(detour, leaves_the_code_as_it_was),
        CASE(detour, can_be_armed_again_and_again),
        CASE(detour, is_armed_and_disarmed_while_others_call),
        CASE(detour, leaves_alone_what_somebody_else_has_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

TEST(detour, is_refused_on_other_processors)
{
    mw_detour detour = {0};

    CHECK(mw_detour_make(&detour, (void *)strlen, (void *)strlen) != NULL);
    CHECK(detour.function == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(detour, is_refused_on_other_processors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
