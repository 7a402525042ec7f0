/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold unless we made a mistake; checked in builds with
 * -DHANDSPAN_ASSERT=ON, and nothing but parsed elsewhere. Never of what others
 * may write (shared memory, files, the program): that is judged, not asserted,
 * or asserted once it was judged. [target, signal-safe]
 *
 * Who fails says so on stderr, and in the file HANDSPAN_ASSERT_FILE if the
 * build names one and it is there, and ends by SIGILL.
 */
#pragma once
#ifdef HANDSPAN_ASSERT
#include <fcntl.h>
#include <sys/syscall.h>
#include "lane/x86_64/machine.h"

/* Raw: neither stdio nor a handler of the program for SIGABRT comes first, and
 * no loop that a compiler makes a strlen() of. */
__attribute__((noinline, cold, noreturn, unused)) static void
lane_assert_failed(const char *text, long len)
{
    machine_syscall(SYS_write, 2, (long)text, len, 0, 0, 0);
#ifdef HANDSPAN_ASSERT_FILE
    long fd = machine_syscall(SYS_open, (long)HANDSPAN_ASSERT_FILE,
                              O_WRONLY | O_APPEND | O_CLOEXEC, 0, 0, 0, 0);
    if (fd >= 0)
        machine_syscall(SYS_write, fd, (long)text, len, 0, 0, 0);
#endif
    __builtin_trap();
}
#define LANE_ASSERT_LINE(line) #line
#define LANE_ASSERT_TEXT(line, text)                                           \
    __FILE__ ":" LANE_ASSERT_LINE(line) ": " text "\n"
#define lane_assert(holds)                                                     \
    ((holds)                                                                   \
         ? (void)0                                                             \
         : lane_assert_failed(LANE_ASSERT_TEXT(__LINE__, #holds),              \
                              sizeof(LANE_ASSERT_TEXT(__LINE__, #holds)) - 1))
#else
#define lane_assert(holds) ((void)sizeof((holds) ? 1 : 0))
#endif

/* Of shared memory as well: for programs all of whose writers are ours, such
 * as the tests of the lane. */
#ifdef HANDSPAN_ASSERT_SHARED
#define lane_assert_shared(holds) lane_assert(holds)
#else
#define lane_assert_shared(holds) ((void)sizeof((holds) ? 1 : 0))
#endif
