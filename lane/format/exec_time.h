/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a process was exec'ed: only who called execve() knows. It says so in a
 * variable of the environment that it hands over; our constructor takes it in
 * and writes zeros over it, so that it is never taken for another image's.
 * Fixed width: nothing else in the environment moves.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_EXEC_VARIABLE "HANDSPAN_EXEC"

enum {
    LANE_EXEC_FIELDS = 5,
    LANE_EXEC_DIGITS = 16,
    LANE_EXEC_VALUE = LANE_EXEC_FIELDS * (LANE_EXEC_DIGITS + 1) - 1,
    LANE_EXEC_BYTES = sizeof LANE_EXEC_VARIABLE "=" + LANE_EXEC_VALUE,
};

struct lane_exec_time {
    uint64_t pid, start_time; /* whose: as in struct lane_process */
    uint64_t ticks;           /* LANE_CLOCK_TSC; 0 not known */
    uint64_t monotonic_ns;
    uint64_t cpu_ns; /* of the process by then */
};

/* "HANDSPAN_EXEC=..." with NUL. [signal-safe] */
static inline void lane_exec_time_put(const struct lane_exec_time *time,
                                      char out[LANE_EXEC_BYTES])
{
    const uint64_t field[LANE_EXEC_FIELDS] = {time->pid, time->start_time,
                                              time->ticks, time->monotonic_ns,
                                              time->cpu_ns};
    static const char name[] = LANE_EXEC_VARIABLE "=";
    size_t at = 0;
    for (; name[at]; at++)
        out[at] = name[at];
    for (int i = 0; i < LANE_EXEC_FIELDS; i++) {
        if (i > 0)
            out[at++] = '-';
        for (int d = LANE_EXEC_DIGITS - 1; d >= 0; d--)
            out[at++] = "0123456789abcdef"[field[i] >> d * 4 & 15];
    }
    out[at] = 0;
}

/* What stands behind the '='. False: no such text. */
static inline bool lane_exec_time_read(const char *value,
                                       struct lane_exec_time *out)
{
    uint64_t field[LANE_EXEC_FIELDS] = {0};
    for (int i = 0; i < LANE_EXEC_VALUE; i++) {
        char c = value[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        bool is_between = i % (LANE_EXEC_DIGITS + 1) == LANE_EXEC_DIGITS;
        if (is_between ? c != '-' : digit < 0)
            return false; /* also at a NUL: nothing behind it is read */
        uint64_t *to = &field[i / (LANE_EXEC_DIGITS + 1)];
        if (!is_between)
            *to = *to << 4 | (uint64_t)digit;
    }
    *out = (struct lane_exec_time){field[0], field[1], field[2], field[3],
                                   field[4]};
    return value[LANE_EXEC_VALUE] == 0;
}
