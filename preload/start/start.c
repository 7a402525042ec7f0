/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The constructor: everything between "the loader mapped us" and "the
 * handlers are traced". It runs before the constructors of all other objects
 * (-z initfirst), libc's own included: no environ, no stdio, the environment
 * comes as an argument. Single-threaded, bounded work; whatever fails leaves
 * the program as if untraced.
 */
#include "preload/watch/ask.h"
#include "preload/start/bind_rounds.h"
#include "preload/bind/bind_text.h"
#include "preload/bind/plans.h"
#include "preload/objects/callers.h"
#include "preload/call/carry/carry.h"
#include "preload/call/record/cpu.h"
#include "shim/checker.h"
#include "preload/settings/config.h"
#include "preload/process/ends.h"
#include "preload/call/stack/fiber.h"
#include "preload/start/filter.h"
#include "preload/watch/error_watch.h"
#include "preload/process/exec.h"
#include "preload/process/exec_time.h"
#include "preload/start/loader.h"
#include "preload/watch/longjmp.h"
#include "preload/start/manifest_load.h"
#include "preload/process/memory_lock.h"
#include "preload/start/memory_share.h"
#include "preload/objects/modules.h"
#include "preload/own/own.h"
#include "preload/watch/read_start.h"
#include "preload/start/session_start.h"
#include "preload/start/sidecar_start.h"
#include "preload/call/record/span.h"
#include "preload/call/thread_context.h"
#include "preload/process/words.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    ENTRIES_MAX = 1 << 18, /* 48 MiB of address space is all it costs */
    ENTRIES_PART = 8,      /* of what may be ours */
    ENTRY_BYTES = 192,
};

/* The linker's: where this object begins and ends. */
extern HIDDEN const char __ehdr_start[], _end[];

/* One word that the kernel clears in every forked child. */
static int make_alive_page(void)
{
    lane_assert(runtime.alive == NULL);
    uint32_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -errno;
    if (madvise(page, PAGE, MADV_WIPEONFORK) != 0) {
        int err = -errno;
        munmap(page, PAGE);
        return err;
    }
    *page = 1;
    runtime.alive = page;
    return 0;
}

/* Without entries Z calls are counted. */
static void reserve_entries(uint64_t share)
{
    lane_assert(runtime.map.session != NULL);
    uint64_t count = share / ENTRIES_PART / ENTRY_BYTES;
    int err =
        shim_entries_reserve(count < ENTRIES_MAX ? (size_t)count : ENTRIES_MAX);
    if (err)
        note_line("session", "no address space for calls of kind Z: those are "
                             "counted");
}

static int prepare_runtime(uint32_t manifest_errors)
{
    lane_assert(runtime.map.session == NULL && config.dir_fd >= 0);
    uint64_t share = memory_share(config.dir_fd);
    if (share == 0)
        return -ENOMEM;
    int err = make_alive_page();
    if (err)
        return err;
    shim_start();
    err = session_start(manifest_errors, share - share / ENTRIES_PART);
    if (err)
        return err;
    span_set_hooks();
    reserve_entries(share);
    return 0;
}

/* Nothing is traced, and nothing stays but the library itself. */
static void give_up(int err)
{
    lane_assert(err < 0);
    note_lines("session", "none could be made in", config.dir,
               err == -ENOSPC ? "(it is full)"
               : err == -ENOMEM
                   ? "(an eighth of what this process may have of memory, "
                     "address space or the file system is too little)"
                   : NULL);
    note_log();
    if (runtime.alive)
        munmap((void *)runtime.alive, PAGE);
    runtime.alive = NULL;
    runtime.manifest = NULL;
    modules_forget();
    manifest_forget();
}

static void bind_everything(void)
{
    lane_assert(runtime.map.session != NULL && *runtime.alive == 1);
    int err = bind_text_open_alone();
    if (err) {
        note_line("binding", "text cannot be written: nothing is traced");
        return;
    }
    read_start();
    carry_start();
    bind_prepare();
    exec_watch();  /* before the manifest: one site each (bind/reserved.h) */
    cpu_measure(); /* before carry and ask, which ask for ticks */
    bind_start();
    callers_start();
    fiber_watch(false);
    loader_watch();
    ends_watch();
    words_watch();
    exec_watch_regions();
    error_watch_start();
    longjmp_watch();
    memory_lock_watch();
    ask_watch(false);
    read_watch();
    plans_end();
    shim_text_close();
}

static void start_tracing(void)
{
    lane_assert(span_busy != 0);
    uint32_t manifest_errors = 0;
    runtime.manifest = manifest_load(&manifest_errors);
    if (runtime.manifest && !manifest_is_for_us(runtime.manifest))
        return;
    if (config_open_dir() != 0) {
        note_log();
        return;
    }
    if (config_is_off())
        return;
    runtime.manifest = manifest_add_types(runtime.manifest, &manifest_errors);
    config_decide_discreet(runtime.manifest, manifest_errors);
    modules_refresh(NULL);
    int err = prepare_runtime(manifest_errors);
    if (err) {
        give_up(err);
        return;
    }
    thread_context_start();
    bind_everything();
    sidecar_start();
    exec_time_loaded();
    note_publish();
    note_log();
}

/* In a child: there is no session that could say so. */
static void say_filtered(void)
{
    uint32_t errors = 0;
    if (config_read() != 0)
        return;
    runtime.manifest = manifest_load(&errors);
    if (runtime.manifest == NULL || !manifest_is_for_us(runtime.manifest) ||
        config_open_dir() != 0 || config_is_off())
        return;
    note_line("filter", "it runs below a seccomp filter that ends a process "
                        "for a system call of ours: it is not traced");
    note_log();
}

__attribute__((constructor)) static void start(int argc, char **argv,
                                               char **env)
{
    (void)argc;
    (void)argv;
    if (!own_start()) /* below another libc env is none either */
        return;
    runtime.program_errno = own_program_errno;
    config.env = env;
    exec_time_take(env);
    if (config_is_disabled())
        return;
    if (!filter_allows_us()) {
        filter_tell(say_filtered);
        return;
    }
    if (config_read() != 0)
        return;
    /* it takes a far jump of the stack pointer for the program's fault */
    if (checker_start(own_objects()))
        shim_stacks_forbid();
    checker_is_shared(__ehdr_start, (size_t)(_end - __ehdr_start));
    span_busy++;
    start_tracing();
    span_busy--;
    if (config.dir_fd >= 0)
        close(config.dir_fd);
    config.dir_fd = -1;
}
