/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The longjmp family of libc: longjmp, _longjmp and siglongjmp are one
 * function, __longjmp_chk of _FORTIFY_SOURCE is another. What libc calls
 * itself (the end of a cancelled thread) jumps below all frames, which a forced
 * unwinding took down before.
 *
 * A jmp_buf has the target's stack pointer as it will be after setjmp's
 * return: rotated, and xored with a secret of the thread (PTR_MANGLE of glibc,
 * x86-64; word 6 is JB_RSP). A value that is no place on a stack is not
 * followed.
 *
 * Nothing is watched in a program without handlers.
 */
#include "preload/watch/longjmp.h"

#include "preload/bind/bind.h"
#include "preload/call/memory/read.h"
#include "preload/call/record/span_internal.h"

enum {
    WORD_RSP = 6,
    ROTATED = 17,
};

static uint64_t demangle(uint64_t word)
{
    uint64_t guard;
    __asm__("mov %%fs:0x30, %0" : "=r"(guard));
    return (word >> ROTATED | word << (64 - ROTATED)) ^ guard;
}

static long jump(long from, long buffer)
{
    struct reader reader;
    uint64_t word;
    reader_start(&reader, runtime.pid, span_thread.stack_low,
                 span_thread.stack_high);
    if (read_bytes(&reader, &word, (uint64_t)buffer + 8 * WORD_RSP,
                   sizeof(word)) == sizeof(word))
        span_jump(span_lane, (uint64_t)from, demangle(word));
    return 0;
}

static void enter_longjmp(struct shim_call *call)
{
    if (span_lane == NULL || *runtime.alive != span_thread.alive)
        return;
    /* an alternate stack may have room for its handler alone */
    if (span_on_own_stack(call->sp))
        (void)jump((long)call->sp, (long)call->args.rdi);
    else
        (void)shim_call_slow(jump, (long)call->sp, (long)call->args.rdi);
}

void longjmp_watch(void)
{
    static const char *const names[] = {"longjmp", "_longjmp", "siglongjmp",
                                        "__longjmp_chk"};
    if (bind_count() == 0)
        return;
    for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        uint32_t site = runtime.map.session->site_next;
        if (bind_internal(names[i], enter_longjmp, NULL) == 0 &&
            site < SHIM_SITE_MAX)
            runtime.sites[site].flags |= SITE_MAY_PASS;
    }
}
