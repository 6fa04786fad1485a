/* SPDX-License-Identifier: MIT
 *
 * That answers are true is for the tests of memwhy.heap(); here, that each question has one,
 * of well-formed JSON.
 */
#include "heap/heap_answers.h"

#include "heap/captured_heap.h"
#include "heap/heap_find.h"
#include "heap/heap_text.h"

#include "heap_model.h"
#include "heap_service.h"

enum { SEEDS = 200 };

static const mw_heap_question questions[] = {
    {"report", {50, 0, 0}},
    {"summary", {0}},
    {"types", {0}},
    {"modules", {0}},
    {"sites", {2, 0, 0}},
    {"top", {5, 0, 0}},
    {"object", {SERVICE_ADDRESS + 16 * SERVICE_SESSION, 2, 0}},
    {"object", {0, 1, SERVICE_FRAME}},
    {"together", {SERVICE_LISTENERS, SERVICE_SESSIONS, 0}},
    {"suspects", {50, 0, 0}},
    {"garbage", {5, 0, 0}},
    {"held", {0}},
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

static mw_status ask(heap_service *service, const mw_heap_question *question, mw_buffer *answer)
{
    mw_buffer_init(answer, service->study.alloc);
    return mw_heap_answer(&service->study, question, &answer->sink);
}

static void expect_in(heap_service *service, const mw_heap_question *question, const char *words)
{
    mw_buffer answer;

    CHECK_OK(ask(service, question, &answer));
    if (strstr(answer.bytes, words) == NULL)
        fail_msg("%s: there is no %s in %s", question->name, words, answer.bytes);
    mw_buffer_done(&answer);
}

/* Brackets that close what was opened, strings that end, a comma between any two things. */
static void check_json(const char *at)
{
    char open[64];
    int depth = 0;
    bool may_follow = true; /* a value may come here */

    for (; *at != '\0'; at++) {
        if (*at == '"') {
            CHECK(may_follow);
            for (at++; *at != '"'; at++) {
                CHECK((unsigned char)*at >= ' ');
                at += *at == '\\';
            }
            may_follow = false;
        } else if (*at == '{' || *at == '[') {
            CHECK(may_follow && depth < 64);
            open[depth++] = *at == '{' ? '}' : ']';
        } else if (*at == '}' || *at == ']') {
            CHECK(depth > 0 && open[--depth] == *at && at[-1] != ',');
            may_follow = false;
        } else {
            CHECK(*at == ',' || *at == ':' || (*at >= '0' && *at <= '9'));
            may_follow = *at == ',' || *at == ':';
        }
    }
    CHECK_EQ(depth, 0);
}

TEST(heap_answers, are_json_to_every_question)
{
    heap_service service;
    mw_buffer answer;

    service_make(&service);
    for (size_t i = 0; i < QUESTIONS; i++) {
        CHECK(mw_heap_question_is_known(questions[i].name));
        CHECK_OK(ask(&service, &questions[i], &answer));
        check_json(answer.bytes);
        mw_buffer_done(&answer);
    }
    CHECK(!mw_heap_question_is_known("weather"));
    CHECK_EQ(ask(&service, &(mw_heap_question){.name = "weather"}, &answer), MW_BAD_INPUT);
    mw_buffer_done(&answer);
    service_done(&service);
}

TEST(heap_answers, tell_of_an_object_by_address_or_number)
{
    mw_heap_question row = {"object", {SERVICE_ADDRESS + 16 * (SERVICE_ROW + 3), 1, 0}};
    heap_service service;
    mw_buffer answer;

    service_make(&service);
    expect_in(&service, &row, "\"expression\":\"sys.modules['app'].cache['k3']\"");
    expect_in(&service, &row,
              "\"site\":{\"file\":\"/srv/app.py\",\"line\":5,\"function\":\"load\"}");
    expect_in(&service, &row, "\"edge\":\"['k3']\"");
    expect_in(&service, &questions[7], "\"thread\":77,\"thread_name\":\"worker-7\"");
    row.arguments[0]++;
    CHECK_OK(ask(&service, &row, &answer));
    CHECK_STR_EQ(answer.bytes, "{}");
    mw_buffer_done(&answer);
    service_done(&service);
}

TEST(heap_answers, say_what_is_joint_and_what_that_is)
{
    static const mw_heap_question suspects = {"suspects", {50, 0, 0}};
    static const mw_heap_question together = {"together", {SERVICE_LISTENERS, SERVICE_SESSIONS, 0}};
    static const mw_heap_question module = {"together", {SERVICE_MODULE, 0, 0}};
    heap_service service;

    service_make(&service);
    expect_in(&service, &suspects, "\"kind\":\"joint\",\"bytes\":15000,\"retained_bytes\":15000");
    expect_in(&service, &suspects, "\"retained_types\":[{\"type\":\"app.Session\",\"count\":30,");
    expect_in(&service, &together, "\"retained\":15200}");
    expect_in(&service, &module, "\"retained\":56600}");
    service_done(&service);
}

TEST(heap_answers, limit_their_rows)
{
    heap_service service;

    service_make(&service);
    expect_in(&service, &(mw_heap_question){"types", {1, 0, 0}},
              "{\"rows\":[{\"type\":\"dict\",\"count\":3,\"size\":300,\"retained\":56500}]}");
    expect_in(&service, &(mw_heap_question){"garbage", {0, 0, 0}},
              "{\"rows\":[],\"objects\":2,\"bytes\":200,\"cycles\":1,");
    service_done(&service);
}

/* ── heaps of captures ───────────────────────────────────────────────────────────── */

static mw_status take_record(void *context, mw_record_type type, const mw_bytes *payload)
{
    mw_cursor cursor = mw_cursor_of(payload->bytes, payload->length);

    return type == MW_RECORD_HEAP ? mw_heap_image_take_heap(context, cursor)
                                  : mw_heap_image_take_nodes(context, cursor);
}

static void ask_everything(mw_heap_study *study)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        mw_buffer answer;

        mw_buffer_init(&answer, study->alloc);
        CHECK_OK(mw_heap_answer(study, &questions[i], &answer.sink));
        check_json(answer.bytes);
        mw_buffer_done(&answer);
    }
    for (uint32_t node = 1; node < study->view->graph->node_count; node++) {
        mw_heap_question question = {"object", {0, 3, node}};
        static mw_heap_found found;
        mw_error error;
        mw_buffer answer, path;

        mw_buffer_init(&answer, study->alloc);
        mw_buffer_init(&path, study->alloc);
        CHECK_OK(mw_heap_answer(study, &question, &answer.sink));
        check_json(answer.bytes);
        CHECK_OK(mw_heap_path_write_to(study, node, &path.sink));
        /* Ways that mean nothing may lead elsewhere, but do no harm. */
        if (path.length != 0 && mw_heap_find_what(&found, study, path.bytes, 1, &error) != MW_OK)
            CHECK_EQ(found.count, 0);
        mw_buffer_done(&path);
        mw_buffer_done(&answer);
    }
}

/* Graphs at random, as a capture may hold them that somebody made up: a module that is a list,
 * a dict that refers to itself, a thread that nobody runs. */
TEST(heap_answers, are_given_for_heaps_that_no_process_had)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        heap_model model = heap_model_random(seed);
        mw_captured_heap heap;
        mw_heap_image image;
        mw_heap_study study;

        CHECK_OK(mw_heap_image_init(&image, mw_alloc_system()));
        CHECK_OK(heap_model_write(&model, take_record, &image, mw_alloc_system()));
        mw_captured_heap_of(&heap, &image);
        CHECK_OK(mw_heap_study_init(&study, &heap.view, mw_alloc_system()));
        ask_everything(&study);
        mw_heap_study_done(&study);
        mw_captured_heap_done(&heap);
    }
}

TEST(heap_answers, returns_every_byte_whichever_allocation_fails)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        for (size_t nth = 0;; nth++) {
            mw_failing_alloc failing = mw_failing_alloc_at(nth);
            heap_service service;
            mw_buffer answer = {0};
            mw_status status = service_try(&service, &failing.base);

            if (status == MW_OK)
                status = ask(&service, &questions[i], &answer);
            mw_buffer_done(&answer);
            service_done(&service);
            CHECK_EQ(failing.live_bytes, 0);
            if (status == MW_OK)
                break;
            CHECK_EQ(status, MW_NO_MEMORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_answers, are_json_to_every_question),
        CASE(heap_answers, tell_of_an_object_by_address_or_number),
        CASE(heap_answers, say_what_is_joint_and_what_that_is),
        CASE(heap_answers, limit_their_rows),
        CASE(heap_answers, are_given_for_heaps_that_no_process_had),
        CASE(heap_answers, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_answers", tests, NULL, NULL);
}
