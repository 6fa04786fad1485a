/* SPDX-License-Identifier: MIT
 *
 * The reader of captures meets bytes that nobody wrote.  With libFuzzer (`make fuzz
 * T=capture`) inputs are mutated behind their checksums; without it (FUZZ_REPLAY) this is a
 * test that runs all files of a directory.
 */
#define _GNU_SOURCE
#include "capture_bytes.h"

#include "capture/capture.h"

#include <dirent.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

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
