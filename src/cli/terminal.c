/* SPDX-License-Identifier: MIT
 *
 * The progress line is written by a timer's signal, so that whatever takes long need not
 * know of it.
 */
#define _GNU_SOURCE
#include "cli/terminal.h"

#include "render/render.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

enum { WIDTH_MINIMUM = 60, WIDTH_UNKNOWN = 80, WIDTH_MAXIMUM = 120 };

static bool is_smart(int descriptor)
{
    const char *terminal = getenv("TERM");

    return isatty(descriptor) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

bool mw_terminal_has_colour(int descriptor)
{
    const char *no_colour = getenv("NO_COLOR");

    return (no_colour == NULL || *no_colour == '\0') && is_smart(descriptor);
}

uint32_t mw_terminal_width(int descriptor)
{
    struct winsize size;

    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return WIDTH_UNKNOWN;
    if (size.ws_col < WIDTH_MINIMUM)
        return WIDTH_MINIMUM;
    return size.ws_col < WIDTH_MAXIMUM ? size.ws_col : WIDTH_MAXIMUM;
}

/* ── progress ────────────────────────────────────────────────────────────────────── */

static char progress_text[80];
static volatile sig_atomic_t progress_seconds;

/* Writes what can be written in a signal handler: no printf. */
static void on_alarm(int number)
{
    char line[sizeof progress_text + 32];
    char digits[12];
    size_t at = 0;
    int seconds = (int)++progress_seconds;
    int count = 0;

    (void)number;
    line[at++] = '\r';
    for (const char *from = progress_text; *from != '\0'; from++)
        line[at++] = *from;
    do
        digits[count++] = (char)('0' + seconds % 10);
    while ((seconds /= 10) != 0);
    while (count != 0)
        line[at++] = digits[--count];
    line[at++] = 's';
    if (write(STDERR_FILENO, line, at) < 0)
        return;
}

static void set_timer(time_t seconds)
{
    struct itimerval timer = {.it_interval = {.tv_sec = seconds}, .it_value = {.tv_sec = seconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

void mw_progress_begin(const char *what)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    mw_buffer clean;

    if (!is_smart(STDERR_FILENO))
        return;
    mw_buffer_init(&clean, mw_alloc_system());
    mw_sink_clean(&clean.sink, what, strlen(what), UINT32_MAX);
    snprintf(progress_text, sizeof progress_text, "memwhy: %.50s … ",
             clean.bytes == NULL ? "" : clean.bytes);
    mw_buffer_done(&clean);
    progress_seconds = 0;
    sigaction(SIGALRM, &action, NULL);
    set_timer(1);
}

void mw_progress_end(void)
{
    static const char erase[] = "\r\033[K";

    if (progress_text[0] == '\0')
        return;
    set_timer(0);
    signal(SIGALRM, SIG_DFL);
    progress_text[0] = '\0';
    if (progress_seconds != 0 && write(STDERR_FILENO, erase, sizeof erase - 1) < 0)
        return;
}
