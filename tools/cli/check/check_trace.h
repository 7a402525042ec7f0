/* SPDX-License-Identifier: Apache-2.0 */
/* `check` after the fact: --trace, --pid, --run. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct check_trace {
    const char *trace, *store, *manifest;
    int64_t pid; /* -1: not said */
    bool run, json;
};
#define CHECK_TRACE_INIT                                                       \
    {                                                                          \
        .pid = -1                                                              \
    }
/* Exit status. `argv` has the command of --run. */
int check_trace_main(const struct check_trace *c, int argc, char **argv);
