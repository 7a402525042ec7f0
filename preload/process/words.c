/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process knows of others: how a child ended that it waited for, and
 * the signals that it sent. A child that was killed can say nothing itself, and
 * once it was waited for the kernel tells nobody else.
 *
 * wait(), wait3(), waitpid(), system() and pclose() end in wait4().
 */
#include "preload/process/words.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lane/x86_64/machine.h"
#include "preload/bind/bind.h"
#include "preload/call/record/process_self.h"
#include "preload/call/record/sandbox.h"
#include "preload/call/record/span.h"
#include "lane/format/assert.h"

static bool may_say(void)
{
    return runtime.map.session && *runtime.alive != 0 && !sandboxed &&
           !process_is_guest();
}

static void say(enum lane_word_kind kind, int32_t pid, int32_t value,
                const struct rusage *usage)
{
    lane_assert(may_say() &&
                (kind == LANE_WORD_ENDED || kind == LANE_WORD_SENT));
    struct lane_word word = {
        .ticks = lane_now(&runtime.map),
        .pid = pid,
        .kind = (uint32_t)kind,
        .value = value,
        .process = runtime.process,
    };
    if (usage) {
        uint64_t us =
            (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) *
                1000000u +
            (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
        word.cpu_ns = us * 1000u;
        word.peak_bytes = (uint64_t)usage->ru_maxrss * 1024;
    }
    lane_word_put(&runtime.map, &word);
}

/* Who does not want the status gets it in our frame: nobody looks there. */
static void enter_wait4(struct shim_call *call)
{
    if (call->args.rsi != 0 || !may_say())
        return;
    call->extra = 0;
    call->args.rsi = (uint64_t)(uintptr_t)&call->extra;
    call->flags |= SHIM_CALL_ARGS;
}

static void leave_wait4(struct shim_call *call, const struct shim_regs *regs)
{
    int32_t pid = (int32_t)regs->rax;
    if (pid <= 0 || call->args.rsi == 0 || !may_say())
        return;
    int status = *(const int *)(uintptr_t)call->args.rsi;
    if (WIFEXITED(status) || WIFSIGNALED(status))
        say(LANE_WORD_ENDED, pid, status,
            (const struct rusage *)(uintptr_t)call->args.rcx);
}

static void leave_waitid(struct shim_call *call, const struct shim_regs *regs)
{
    const siginfo_t *info = (const siginfo_t *)(uintptr_t)call->args.rdx;
    if ((int32_t)regs->rax != 0 || !info || info->si_pid <= 0 || !may_say())
        return;
    if (info->si_code == CLD_EXITED)
        say(LANE_WORD_ENDED, info->si_pid, (info->si_status & 0xff) << 8, NULL);
    if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED)
        say(LANE_WORD_ENDED, info->si_pid,
            (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0),
            NULL);
}

/* Signals by which programs end their own helpers. */
static void enter_kill(struct shim_call *call)
{
    int32_t pid = (int32_t)call->args.rdi, signal = (int32_t)call->args.rsi;
    bool is_end = signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
    if (is_end && may_say() && (uint32_t)pid != runtime.pid)
        say(LANE_WORD_SENT, pid, signal, NULL);
}

void words_watch(void)
{
    if (bind_internal("wait4", enter_wait4, leave_wait4) != 0)
        note_line("ends", "wait4() cannot be seen: how children ended that "
                          "were killed is known only from outside");
    (void)bind_internal("waitid", NULL, leave_waitid);
    (void)bind_internal("kill", enter_kill, NULL);
}
