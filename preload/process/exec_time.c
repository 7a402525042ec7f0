/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See exec_time.h and lane/format/exec_time.h. The kernel tells the time of a
 * fork in ticks of 10 ms, and that of an exec not at all. So the variable
 * counts only for the very process that it was written in: its pid and start
 * time.
 */
#include "preload/process/exec_time.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "lane/format/exec_time.h"
#include "lane/x86_64/machine.h"
#include "preload/settings/config.h"
#include "preload/call/thread/process.h"
#include "lane/format/assert.h"

static struct lane_exec_time told; /* pid 0: nothing was */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0, 0};
    machine_syscall(SYS_clock_gettime, clock, (long)&t, 0, 0, 0, 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void exec_time_take(char **env)
{
    static const char name[] = LANE_EXEC_VARIABLE "=";
    size_t len = sizeof name - 1;
    for (; env && *env; env++) {
        if (strncmp(*env, name, len) != 0)
            continue;
        char *value = *env + len;
        struct lane_exec_time found;
        if (lane_exec_time_read(value, &found))
            told = found;
        for (; *value; value++)
            *value = *value == '-' ? '-' : '0';
    }
}

void exec_time_begin(void)
{
    lane_assert(runtime.map.session != NULL && runtime.map.session->ready == 0);
    struct lane_process *entry = process_entry();
    struct lane_session *session = runtime.map.session;
    uint64_t ticks =
        runtime.map.clock == LANE_CLOCK_TSC ? told.ticks : told.monotonic_ns;
    if (entry == NULL || told.pid != entry->pid || told.start_time == 0 ||
        told.start_time != entry->start_time || ticks == 0 ||
        ticks > entry->t0_ticks)
        return;
    entry->t0_ticks = session->exec_ticks = ticks;
    process_cpu_from(told.cpu_ns);
}

void exec_time_loaded(void)
{
    lane_assert(runtime.map.session->loaded_ticks == 0);
    struct lane_session *session = runtime.map.session;
    if (session->exec_ticks)
        session->loaded_cpu_ns =
            clock_ns(CLOCK_PROCESS_CPUTIME_ID) - told.cpu_ns;
    /* release; pairs with the reader, who looks at this one first */
    __atomic_store_n(&session->loaded_ticks, lane_now(&runtime.map),
                     __ATOMIC_RELEASE);
}

void exec_time_hand_on(char *out)
{
    lane_assert(out != NULL && runtime.map.session != NULL);
    struct lane_exec_time now = {
        .pid = (uint64_t)machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
        .start_time = process_start_time(),
        .ticks = runtime.map.clock == LANE_CLOCK_TSC ? machine_ticks() : 0,
        .monotonic_ns = clock_ns(CLOCK_MONOTONIC),
        .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
    lane_exec_time_put(&now, out);
}
