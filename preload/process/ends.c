/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ends of a process that it lives to see. exit() is heard through
 * on_exit(), which alone is told the status; registered before the program's
 * own handlers and the loader's, so it runs after all of them. _exit() has a
 * site of ours on its entry.
 *
 * A vfork child runs in our memory until it execs or ends: it must not write
 * its end into the parent's entry.
 */
#include "preload/process/ends.h"
#include "lane/x86_64/machine.h"
#include "preload/bind/bind.h"
#include "preload/call/error/error.h"
#include "preload/signal/fatal/fatal.h"
#include "preload/call/thread/process.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A forked child that had no traced call has no entry, and leaves none. */
static bool is_our_process(void)
{
    return runtime.map.session && *runtime.alive && !process_is_guest();
}

static bool is_told(void)
{
    const struct lane_process *entry = process_entry();
    return entry == NULL || entry->marker != LANE_MARKER_NONE;
}

static void mark(enum lane_marker marker, int status)
{
    lane_assert(marker == LANE_MARKER_EXIT || marker == LANE_MARKER__EXIT);
    int saved = errno;
    span_busy++;
    if (!sandboxed && is_our_process()) {
        bind_end();
        if (!is_told()) /* exit() comes by _exit(), too */
            error_note_end(status);
        span_close_all(LANE_END_EXIT);
        process_mark_end(marker, status & 0xff, 0);
    }
    span_busy--;
    errno = saved;
}

static void on_program_exit(int status, void *context)
{
    (void)context;
    mark(LANE_MARKER_EXIT, status);
}

/* On the program's stack: it is what an error's stack is copied from. */
static void enter_underscore_exit(struct shim_call *call)
{
    mark(LANE_MARKER__EXIT, (int)call->args.rdi);
}

void ends_watch(void)
{
    if (on_exit(on_program_exit, NULL) != 0)
        note_line("ends", "exit() cannot be seen");
    /* also what exit() and quick_exit() call last; "once" keeps the first */
    (void)bind_internal("_exit", enter_underscore_exit, NULL);
    fatal_watch();
}
