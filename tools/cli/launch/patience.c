/* SPDX-License-Identifier: Apache-2.0 */
/* See patience.h. */
#include "tools/cli/launch/patience.h"
#include "tools/common/options.h"
#include "tools/common/text/format.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,
    TERMINAL_MS = 700, /* what takes less needs no word */
    LONG_MS = 10000,
};

static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
enum {
    SIGNALS = sizeof signals / sizeof *signals
};
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void patience_catch(void)
{
    struct sigaction ours = {.sa_handler = on_interrupt};
    (void)signal(SIGINT, SIG_IGN); /* one that waits is gone */
    (void)signal(SIGQUIT, SIG_IGN);
    for (int i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &ours, NULL);
}

bool patience_is_interrupted(void)
{
    return interrupted != 0;
}

void patience_begin(struct patience *p, struct await *await, bool is_quiet)
{
    int64_t now = monotonic_ms();
    *p = (struct patience){.await = await,
                           .is_quiet = is_quiet,
                           .begun_ms = now,
                           .moved_ms = now,
                           .looked_ms = now};
}

static void look(struct patience *p, int64_t now)
{
    uint64_t bytes = p->await ? await_look(p->await).bytes : 0;
    if (bytes != p->bytes)
        p->moved_ms = now;
    p->bytes = bytes;
    p->looked_ms = now;
}

static void tell(struct patience *p)
{
    bool is_terminal = isatty(2);
    if (p->is_quiet || (!is_terminal && p->has_line))
        return;
    char left[64] = "";
    if (p->bytes)
        snprintf(left, sizeof left, ", %s to go",
                 format_bytes((int64_t)p->bytes).text);
    if (is_terminal)
        fprintf(stderr,
                "\r\033[Khandspan: storing the trace%s (Ctrl-C: do not wait)",
                left);
    else
        options_trouble("storing the trace%s; an interrupt ends this waiting, "
                        "not the storing",
                        left);
    p->has_line = true;
}

bool patience_lasts(struct patience *p, int64_t limit_ms)
{
    int64_t now = monotonic_ms(), most = isatty(2) ? TERMINAL_MS : LONG_MS;
    if (interrupted)
        return false;
    if (now - p->looked_ms < LOOK_MS)
        return now - p->moved_ms < limit_ms;
    look(p, now);
    if (now - p->begun_ms >= most)
        tell(p);
    return now - p->moved_ms < limit_ms;
}

void patience_end(struct patience *p)
{
    if (p->has_line && isatty(2))
        fputs("\r\033[K", stderr);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 &&
            now.sa_handler == on_interrupt)
            (void)signal(signals[i], SIG_DFL);
    }
}
