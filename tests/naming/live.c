/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live patching, deterministically: a thread is held at every place where an
 * instruction begins among the bytes of the jump, the function is patched,
 * the thread goes on. It must come back with the right result, uncounted (it
 * was past the entry), and the next call must be counted, right as well. Each
 * in a process of its own: what goes wrong is a crash.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "shim/live.h"
#include "shim/plan/plan.h"
#include "tests/plan/look.h"

typedef int live_fn(int n);
#define EACH(DO)                                                               \
    DO(live_frame)                                                             \
    DO(live_endbr)                                                             \
    DO(live_pushes)                                                            \
    DO(live_memory)                                                            \
    DO(live_branch)                                                            \
    DO(live_one)                                                               \
    DO(live_call)                                                              \
    DO(live_nops)                                                              \
    DO(live_syscall)
#define DECLARE(name) live_fn name;
EACH(DECLARE)
#define ENTRY(name) {#name, name},
static const struct {
    const char *name;
    live_fn *fn;
} functions[] = {EACH(ENTRY)};
enum {
    FUNCTIONS = sizeof functions / sizeof *functions,
    TRAP_FLAG = 0x100,
};

void live_stub(void);
extern uint64_t live_count, live_copy;
uint64_t live_count, live_copy;

static uint64_t hold_pc;
static atomic_int held, go;
static struct plan_image image;

static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    uint64_t pc = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    (void)number;
    if (info->si_code == TRAP_TRACE) {
        if (pc != hold_pc)
            return;
        held = 1;
        while (!go)
            ;
        u->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    uint64_t target = shim_live_target(pc - 1);
    if (target == 0)
        _exit(4);
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)target;
}

/* Single steps through a call. */
static void *step(void *fn)
{
    long result;
    __asm__ volatile("sub $128, %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n"
                     "call *%1\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n"
                     "add $128, %%rsp"
                     : "=a"(result)
                     : "r"(fn), "D"(21)
                     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
                       "cc");
    return (void *)(long)(int)result;
}

static int find_self(struct dl_phdr_info *info, size_t size, void *unused)
{
    const char *why;
    (void)size;
    (void)unused;
    return plan_image_map(&image, info->dlpi_addr, info->dlpi_phdr,
                          info->dlpi_phnum, &why) == 0
               ? 1
               : -1;
}

static int plan(live_fn *fn, struct plan_patch *patch, uint64_t *island)
{
    static char scratch[4 << 20] __attribute__((aligned(16)));
    uint64_t at = (uint64_t)(uintptr_t)fn;
    if (!image.branches.is_known) /* before anything is patched */
        (void)look_for_branches(&image);
    if (plan_scratch_bytes() > sizeof scratch ||
        shim_island_take(at, at + 64, SHIM_ISLAND_BYTES, island) != 0)
        return -1;
    int err = plan_entry_patch(&plan_decoder_zydis, &image, at - image.base,
                               *island + SHIM_ISLAND_COPY, scratch, patch);
    return err ? err : patch->verdict == PLAN_OK ? 0 : -1;
}

/* 0 right, else what went wrong. `boundary` -1: nobody is held. */
static int one_case(int index, int boundary)
{
    live_fn *fn = functions[index].fn;
    struct plan_patch patch;
    uint64_t island;
    pthread_t thread;
    void *result = (void *)1021L;
    if (plan(fn, &patch, &island) != 0)
        return 10;
    live_copy = island + SHIM_ISLAND_COPY;
    if (boundary >= 0) {
        hold_pc = patch.patch_at + patch.boundary[boundary].at;
        pthread_create(&thread, NULL, step, (void *)(uintptr_t)fn);
        while (!held)
            ;
    }
    if (shim_text_open(NULL) != 0 || shim_live_start() != 0)
        return 11;
    if (shim_live_apply(&patch, island, (uint64_t)(uintptr_t)live_stub) != 0)
        return 12;
    shim_text_close();
    go = 1;
    if (boundary >= 0)
        pthread_join(thread, &result);
    if ((long)result != 1021 || live_count != 0)
        return 13;
    return fn(4) == 1004 && live_count == 1 && fn(-3) == 997 && live_count == 2
               ? 0
               : 14;
}

static int run_case(int index, int boundary)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(one_case(index, boundary));
    }
    waitpid(pid, &status, 0);
    if (status != 0)
        printf("%s, boundary %d: %s %d\n", functions[index].name, boundary,
               WIFSIGNALED(status) ? "signal" : "exit",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return status != 0;
}

int main(void)
{
    struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    int cases = 0, failed = 0;
    sigfillset(&trap.sa_mask);
    sigaction(SIGTRAP, &trap, NULL);
    dl_iterate_phdr(find_self, NULL);
    for (int i = 0; i < FUNCTIONS; i++) {
        struct plan_patch patch;
        uint64_t island;
        if (plan(functions[i].fn, &patch, &island) != 0) {
            printf("%s: %s\n", functions[i].name,
                   plan_verdict_text(patch.verdict));
            failed++;
            continue;
        }
        for (int b = -1; b < patch.boundary_count; b++, cases++)
            failed += run_case(i, b);
    }
    printf("%d cases, %d wrong\n", cases, failed);
    return failed != 0 || cases < 20;
}
