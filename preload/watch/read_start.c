/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See read_start.h.
 *
 * Ranges are the readable segments of what the loader mapped before main():
 * it never unmaps those. Not those of objects that come by dlopen: dlclose in
 * another thread may take one away between the look at the table and the copy
 * (the loader's notification comes before the unmapping, but waits for
 * nobody). What lies in them is read by the page cache or by the kernel, like
 * the heap.
 *
 * The program itself may still take a segment of a start-up object away
 * (mprotect to nothing, a file truncated under its mapping). Then the copy
 * faults in a load that our signal entry can leave (read_guard.h); only where
 * the program has handlers of its own does it get that fault.
 *
 * Of filters that a process installs itself see sandbox.h. One that was there
 * before us may forbid process_vm_readv, and kill for it: nothing is tried.
 */
#include "preload/watch/read_start.h"
#include "preload/bind/bind.h"
#include "preload/bind/bind_lock.h"
#include "preload/call/record/blind.h"
#include "preload/settings/config.h"
#include "preload/signal/fatal/fatal.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/span.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/sandbox.h"
#include "preload/watch/served.h"
#include <link.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
    PAGE = 4096,
    SYSCALL_USER_DISPATCH = 59, /* PR_SET_SYSCALL_USER_DISPATCH, Linux 5.11 */
};

static int add_segments(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_R))
            continue;
        uint64_t low = info->dlpi_addr + phdr->p_vaddr;
        uint64_t high = low + phdr->p_memsz;
        /* a full table: the rest is read by other means */
        if (read_add_range(low & ~(uint64_t)(PAGE - 1),
                           (high + PAGE - 1) & ~(uint64_t)(PAGE - 1)) != 0)
            return 1;
    }
    return 0;
}

void read_start(void)
{
    dl_iterate_phdr(add_segments, NULL);
    if (config.is_seccomp)
        read_forbid_syscalls();
}

/* This thread goes on with the lane that it has; a later one finds none. */
static long last_syscalls(long unused, long unused_too)
{
    (void)unused;
    (void)unused_too;
    (void)thread_attach();
    fatal_retire();
    return 0;
}

/* Into the session: it stands there, whatever comes. */
static long tell(long text, long unused)
{
    struct bind_hold hold;
    (void)unused;
    span_busy++;
    if (runtime.map.session && *runtime.alive != 0 && bind_lock(&hold)) {
        note_line("sandbox", (const char *)text);
        note_publish();
        bind_unlock(&hold);
    }
    span_busy--;
    return 0;
}

#define FROM_NOW                                                               \
    "of threads that begin now and of what is loaded the calls are not "       \
    "traced, "                                                                 \
    "calls that find no frame are counted only, and how it ends is known "     \
    "from "                                                                    \
    "outside alone"

/* A child of vfork runs in its parent's memory: what is forbidden to the one
 * the other does not do either. */
static void lock_in(const char *text)
{
    if (sandboxed)
        return;
    shim_call_slow(tell, (long)text, 0);
    shim_call_slow(last_syscalls, 0, 0);
    sandbox_start();
}

static void lock_in_filter(bool is_strict)
{
    if (is_strict && (sandboxed || !process_is_guest()))
        blind_start();
    lock_in("a seccomp filter was installed: " FROM_NOW);
}

static void see_no_new_privs(void)
{
    static const char text[] = "no_new_privs was set: all goes on; a filter "
                               "that forbids system calls is told";
    static bool is_told;
    if (!sandboxed && !process_is_guest() &&
        !__atomic_test_and_set(&is_told, __ATOMIC_RELAXED))
        shim_call_slow(tell, (long)text, 0);
}

/* A filter of NULL is a question. */
static void see_prctl(int option, uint64_t value, uint64_t filter)
{
    switch (option) {
    case PR_SET_SECCOMP:
        if (value == SECCOMP_MODE_STRICT || filter != 0)
            lock_in_filter(value == SECCOMP_MODE_STRICT);
        return;
    case SYSCALL_USER_DISPATCH:
        if (value != 0)
            lock_in("system calls are sent to the program's own handler "
                    "(PR_SET_SYSCALL_USER_DISPATCH): " FROM_NOW);
        return;
    case PR_SET_TSC:
        if (value == PR_TSC_SIGSEGV && (sandboxed || !process_is_guest()))
            blind_start();
        return;
    case PR_SET_NO_NEW_PRIVS:
        if (value != 0)
            see_no_new_privs();
        return;
    default:
        return;
    }
}

static void enter_prctl(struct shim_call *call)
{
    see_prctl((int)call->args.rdi, call->args.rsi, call->args.rdx);
}

/* libseccomp has no other way to it. */
static void enter_syscall(struct shim_call *call)
{
    const struct shim_regs *args = &call->args;
    if (args->rdi == SYS_prctl)
        see_prctl((int)args->rsi, args->rdx, args->rcx);
    else if (args->rdi == SYS_ioctl)
        served_ioctl(args->rdx, args->rcx);
    else if (args->rdi == SYS_seccomp &&
             (args->rsi == SECCOMP_SET_MODE_STRICT ||
              (args->rsi == SECCOMP_SET_MODE_FILTER && args->rcx != 0)))
        lock_in_filter(args->rsi == SECCOMP_SET_MODE_STRICT);
}

void read_watch(void)
{
    (void)bind_internal("prctl", enter_prctl, NULL);
    (void)bind_internal("syscall", enter_syscall, NULL);
    served_watch();
}
