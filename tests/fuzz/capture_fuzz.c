/* SPDX-License-Identifier: MIT
 *
 * The reader of captures meets bytes that nobody wrote.  With libFuzzer (`make fuzz
 * T=capture`) inputs are mutated behind their checksums; without it (FUZZ_REPLAY) this is a
 * test that runs all files of a directory.
 */
#define _GNU_SOURCE
#include "capture_bytes.h"

#include "capture/capture.h"
#include "heap/captured_heap.h"
#include "heap/heap_answers.h"

#include <dirent.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Names of everything, and a few questions that go through all of it. */
static void ask(mw_captured_heap *heap)
{
    static const char *const questions[] = {"summary",  "types",   "modules", "sites",
                                            "suspects", "garbage", "held"};
    const mw_object_graph *graph = heap->view.graph;
    mw_heap_study study;
    mw_buffer text;

    mw_buffer_init(&text, mw_alloc_system());
    for (uint32_t node = 1; node < graph->node_count; node++) {
        uint32_t degree = mw_object_graph_degree(graph, node);

        heap->view.words->write_object(&heap->view, node, &text.sink);
        for (uint32_t place = 0; place < degree && place < 100; place++)
            mw_captured_heap_write_reference(heap, node, place, &text.sink);
        text.length = 0;
    }
    if (mw_heap_study_init(&study, &heap->view, mw_alloc_system()) != MW_OK)
        abort();
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        mw_heap_question question = {.arguments = {50}};
        mw_status status;

        strcpy(question.name, questions[i]);
        status = mw_heap_answer(&study, &question, &text.sink);
        if (status != MW_OK && status != MW_UNSUPPORTED)
            abort();
        text.length = 0;
    }
    mw_heap_study_done(&study);
    mw_buffer_done(&text);
}

/* Heaps are checked when they are read. */
static void use_heaps(mw_capture *capture)
{
    for (uint32_t i = 0; i < mw_capture_heap_count(capture) && i < 4; i++) {
        mw_captured_heap heap;
        mw_error error = {.text = ""};

        if (mw_captured_heap_init(&heap, capture, i, mw_alloc_system(), &error) != MW_OK) {
            if (strlen(error.text) < 10)
                abort();
            continue;
        }
        if (!mw_heap_image_is_consistent(&heap.image))
            abort();
        ask(&heap);
        mw_captured_heap_done(&heap);
    }
}

/* Everything that can be asked of a capture. */
static void use(mw_capture *capture)
{
    const mw_timeline *timeline = mw_capture_timeline(capture);
    uint32_t count = mw_capture_snapshot_count(capture);
    mw_capture_replay *replay = NULL;
    mw_snapshot *snapshot = NULL;
    mw_point point;

    if (mw_capture_replay_new(capture, &replay, NULL) != MW_OK)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        if (!mw_capture_replay_next(replay))
            abort();
    }
    if (mw_capture_replay_next(replay) || timeline->epoch_starts_ns[0] != 0)
        abort();
    mw_capture_replay_free(replay);
    use_heaps(capture);
    for (uint32_t i = 0; i < count && i < 8; i++) {
        if (mw_capture_snapshot(capture, count - 1 - i, &snapshot, NULL) != MW_OK ||
            !mw_snapshot_is_consistent(snapshot))
            abort();
        mw_snapshot_release(snapshot);
    }
    if (mw_capture_peak(capture, &snapshot, &point, NULL) != MW_OK)
        return;
    if (!mw_snapshot_is_consistent(snapshot))
        abort();
    mw_snapshot_release(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int descriptor = memfd_create("capture", MFD_CLOEXEC);
    mw_capture *capture = NULL;
    mw_error error = {.text = ""};
    char path[64];

    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (mw_capture_open(path, mw_alloc_system(), &capture, &error) == MW_OK)
        use(capture);
    else if (strlen(error.text) < 10)
        abort();
    mw_capture_close(capture);
    close(descriptor);
    return 0;
}

#ifndef FUZZ_REPLAY

/* Half of the mutations are seen by the checksums, half are not. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8 != 0)
        fix_records(data, size);
    return size;
}

#else

/* Runs all files of the directory. */
int main(int argc, char **argv)
{
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int files = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[4096];
        capture_bytes input;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        input = read_bytes(path);
        LLVMFuzzerTestOneInput(input.bytes, input.length);
        free(input.bytes);
        files++;
    }
    if (directory != NULL)
        closedir(directory);
    printf("%d files\n", files);
    return files != 0 ? 0 : 1;
}

#endif
