/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold unless we made a mistake; compiled into builds with
 * HANDSPAN_ASSERT and absent elsewhere. Never of what others may write: that is
 * judged, not asserted. [target, signal-safe]
 */
#pragma once
#ifdef HANDSPAN_ASSERT
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"

/* Raw: neither stdio nor a handler of the program for SIGABRT comes first. */
static inline void lane_assert_failed(const char *text)
{
    long len = 0;
    while (text[len])
        len++;
    machine_syscall(SYS_write, 2, (long)text, len, 0, 0, 0);
    __builtin_trap();
}
#define lane_assert(holds)                                                     \
    ((holds) ? (void)0 : lane_assert_failed(__FILE__ ": " #holds "\n"))
#else
#define lane_assert(holds) ((void)0)
#endif
