/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of ours, for what shim_call_slow() runs: a thread of the program may
 * have 16 KiB in all, and a coroutine less.
 *
 * The program's signal handlers must not find themselves on one: they may need
 * more of it than there is, and a collector that stops threads by a signal
 * would scan from there. So signals are blocked for so long, but those that
 * the thread causes itself; where somebody sends one of these it waits as the
 * others do (preload/signal/fatal/handled.c).
 *
 * Made as they are needed, at most STACKS, with an inaccessible page below
 * each, and never given back to the system. Where there is room for it their
 * address space is reserved at the start: what is mapped later may come to lie
 * below a stack of the program that is to grow. A child that was forked while
 * another thread was on one has lost that one.
 *
 * Runs on the path of a call with the program's vector registers live: general
 * registers only, no libc, errno is kept. [any thread, signal-safe]
 */
#include "shim/x86_64/entry.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    STACKS = 32,
    STACK_BYTES = 128 * 1024,
    PAGE = 4096,
    EACH_BYTES = PAGE + STACK_BYTES,
    KERNEL_SIGSET_BYTES = 8,
};
#define BIT(number) (UINT64_C(1) << ((number)-1))
/* What a thread does to itself would kill it if it were blocked. */
static const uint64_t blocked = ~(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) |
                                  BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGSYS));

static struct stack {
    uint8_t *low;  /* above the page that is not accessible; NULL: not made */
    uint64_t mask; /* of the thread that is on it */
    uint32_t is_taken;
} stacks[STACKS];
static bool is_forbidden;
static uint8_t *reserved; /* of inaccessible memory, for the first ones */
static uint32_t reserved_count;

uint64_t shim_stacks_reserve(uint8_t *low, uint64_t len_bytes)
{
    uint64_t most = len_bytes / 8 / EACH_BYTES;
    reserved_count = most < STACKS ? (uint32_t)most : STACKS;
    uint64_t bytes = (uint64_t)reserved_count * EACH_BYTES;
    /* what is left is of whole batches of entries */
    bytes = (bytes + SHIM_BATCH_BYTES - 1) & ~(uint64_t)(SHIM_BATCH_BYTES - 1);
    reserved = low + len_bytes - bytes;
    return bytes;
}

static long call4(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = -1;
    register long r9 __asm__("r9") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

void shim_stacks_forbid(void)
{
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELAXED);
}

static bool make(struct stack *stack)
{
    uint64_t number = (uint64_t)(stack - stacks);
    bool is_reserved = number < reserved_count;
    uint64_t at =
        is_reserved
            ? (uint64_t)reserved + number * EACH_BYTES
            : (uint64_t)call4(SYS_mmap, 0, EACH_BYTES, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    if (at > (uint64_t)-PAGE)
        return false;
    if (call4(SYS_mprotect, (long)at + PAGE, STACK_BYTES,
              PROT_READ | PROT_WRITE, 0) != 0) {
        if (!is_reserved)
            call4(SYS_munmap, (long)at, EACH_BYTES, 0, 0);
        return false;
    }
    stack->low = (uint8_t *)at + PAGE;
    return true;
}

bool shim_stacks_have(uint64_t sp)
{
    for (int i = 0; i < STACKS && stacks[i].low; i++)
        if (sp - (uint64_t)stacks[i].low < STACK_BYTES)
            return true;
    return false;
}

static void set_mask(int how, const uint64_t *mask, uint64_t *was)
{
    call4(SYS_rt_sigprocmask, how, (long)mask, (long)was, KERNEL_SIGSET_BYTES);
}

uint8_t *shim_stack_take(void)
{
    uint64_t mask = 0;
    if (__atomic_load_n(&is_forbidden, __ATOMIC_RELAXED) ||
        shim_stacks_have((uint64_t)__builtin_frame_address(0)))
        return NULL;
    set_mask(SIG_BLOCK, &blocked, &mask);
    for (int i = 0; i < STACKS; i++) {
        /* acquire; pairs with shim_stack_give() */
        struct stack *stack = &stacks[i];
        if (__atomic_exchange_n(&stack->is_taken, 1, __ATOMIC_ACQUIRE) != 0)
            continue;
        if (stack->low || make(stack)) {
            stack->mask = mask;
            return stack->low + STACK_BYTES;
        }
        __atomic_store_n(&stack->is_taken, 0, __ATOMIC_RELEASE);
        break;
    }
    set_mask(SIG_SETMASK, &mask, NULL);
    return NULL;
}

void shim_stack_give(const uint8_t *end)
{
    for (int i = 0; i < STACKS; i++) {
        uint64_t mask = stacks[i].mask;
        if (!stacks[i].low || stacks[i].low + STACK_BYTES != end)
            continue;
        /* release; pairs with shim_stack_take() */
        __atomic_store_n(&stacks[i].is_taken, 0, __ATOMIC_RELEASE);
        set_mask(SIG_SETMASK, &mask, NULL);
        return;
    }
}
