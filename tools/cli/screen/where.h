/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --where KEY=VALUE,...: one rule for traces and for spans. A value is a glob
 * (query_glob()), but one of few words or a number must be able to match; all
 * conditions hold together.
 */
#pragma once
#include <stdbool.h>

struct where_key {
    const char *name;
    const char *const *words; /* all it can be, NULL at the end; NULL: any */
    bool is_number;
};
struct where_condition {
    const char *key, *value; /* within the text that was parsed */
};
enum {
    WHERE_MAX = 8
};
extern const struct where_key where_trace_keys[], where_span_keys[];

/* Cut `text` (changed) apart. The number of conditions, at least 1; or -1
 * after a message that names what is wrong and what there is. `what`: "traces"
 * or "spans"; `keys` ends with one without name. */
int where_parse(char *text, const char *what, const struct where_key *keys,
                struct where_condition out[WHERE_MAX])
    __attribute__((warn_unused_result));
