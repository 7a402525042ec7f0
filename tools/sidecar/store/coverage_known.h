/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What debug information said of functions, for the next session: most are of
 * the same programs, and to read a large one takes seconds. For a minute,
 * since debug files may be installed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct coverage_question {
    uint32_t site;
    uint64_t vaddr;
    char *object, *symbol;
    char build_id[41];
    bool is_none; /* there is no such function: were all calls inlined? */
};

/* What was said; "": nothing. NULL: not known. Holds until the next put. */
const char *coverage_known(const struct coverage_question *q, int64_t now_ns);
/* May be forgotten at any time, so cannot fail. */
void coverage_known_put(const struct coverage_question *q, const char *text,
                        int64_t now_ns);
