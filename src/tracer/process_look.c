/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tracer/process_look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNLIMITED (UINT64_C(1) << 62) /* what v1 says for no limit is a little below 2^63 */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mw_process_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t mw_process_unix_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* Reads the beginning of a file as text; its length, or -1. */
static ssize_t read_text(const char *path, char *text, size_t capacity)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (file < 0)
        return -1;
    do
        length = read(file, text, capacity - 1);
    while (length < 0 && errno == EINTR);
    close(file);
    if (length >= 0)
        text[length] = '\0';
    return length;
}

uint64_t mw_process_rss_bytes(void)
{
    unsigned long size_pages, resident_pages;
    char text[128];

    if (read_text("/proc/self/statm", text, sizeof text) <= 0 ||
        sscanf(text, "%lu %lu", &size_pages, &resident_pages) != 2)
        return 0;
    return (uint64_t)resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The number in the file [name] of the control group at [path]; UINT64_MAX if there is none. */
static uint64_t read_limit(const char *path, const char *name)
{
    char file[PATH_MAX + 64];
    char text[64];
    char *end;
    unsigned long long limit;

    snprintf(file, sizeof file, "%s/%s", path, name);
    if (read_text(file, text, sizeof text) <= 0)
        return UINT64_MAX;
    limit = strtoull(text, &end, 10);
    return end != text && limit != 0 && limit < UNLIMITED ? limit : UINT64_MAX;
}

/* The least limit of the group [group] below [mount] and of those that it is in. */
static uint64_t least_limit(const char *mount, const char *group, const char *name)
{
    char path[PATH_MAX];
    uint64_t least = UINT64_MAX;
    size_t mount_length = strlen(mount);

    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
        return least;
    for (;;) {
        char *slash = strrchr(path, '/');
        uint64_t limit = read_limit(path, name);

        if (limit < least)
            least = limit;
        if (slash == NULL || (size_t)(slash - path) < mount_length)
            return least;
        *slash = '\0';
    }
}

/* Whether a line of /proc/self/cgroup is of the memory controller, or of all of them (v2). */
static uint64_t limit_of_line(char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

    if (group == NULL)
        return UINT64_MAX;
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0')
        return least_limit("/sys/fs/cgroup", strcmp(group, "/") == 0 ? "" : group, "memory.max");
    if (strcmp(controllers, "memory") == 0)
        return least_limit("/sys/fs/cgroup/memory", strcmp(group, "/") == 0 ? "" : group,
                           "memory.limit_in_bytes");
    return UINT64_MAX;
}

uint64_t mw_process_memory_limit_bytes(void)
{
    char text[4096];
    char *rest = NULL;
    uint64_t least = UINT64_MAX;

    if (read_text("/proc/self/cgroup", text, sizeof text) <= 0)
        return 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        uint64_t limit = limit_of_line(line);

        if (limit < least)
            least = limit;
    }
    return least != UINT64_MAX ? least : 0;
}
