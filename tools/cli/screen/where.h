/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --where 'name=extract and duration>2s and input.path~"*.csv"': one rule for
 * traces and for calls. Conditions are joined by "and" or a comma and hold
 * together. = and ~ compare with a glob (query_glob()), != says that it does
 * not match; < <= > >= compare numbers, durations ("1.5h") and times. What is
 * not known of a row meets no condition on it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum where_kind {
    WHERE_TEXT,
    WHERE_WORD,     /* one of few words */
    WHERE_NUMBER,   /* not negative */
    WHERE_DURATION, /* ns */
    WHERE_TIME,     /* Unix ns */
    WHERE_VALUE,    /* "input." and a name: a value that the call had */
};
struct where_key {
    const char *name;
    enum where_kind kind;
    const char *const *words; /* of WHERE_WORD, NULL at the end */
};
enum where_operator {
    WHERE_LIKE, /* = or ~ */
    WHERE_UNLIKE,
    WHERE_BELOW,
    WHERE_AT_MOST,
    WHERE_ABOVE,
    WHERE_AT_LEAST,
};
struct where_condition {
    const struct where_key *key;
    const char *name; /* as written: of "input.path" more than the key has */
    enum where_operator op;
    const char *value; /* within the text that was parsed, as `name` */
    int64_t number;    /* of what has an order; the value of input.x: `real` */
    double real;
};
enum {
    WHERE_MAX = 16,
    WHERE_BYTES = 4096
};
extern const struct where_key where_trace_keys[], where_span_keys[];

/* Cut `text` (changed) apart. The number of conditions, at least 1; or -1
 * after a message that names what is wrong and what there is. `what`: "traces"
 * or "spans"; `keys` ends with one without name; `now_unix_ns` is for times
 * such as "2h". */
int where_parse(char *text, const char *what, const struct where_key *keys,
                int64_t now_unix_ns, struct where_condition out[WHERE_MAX])
    __attribute__((warn_unused_result));

/* What a row has of a condition's key. */
struct where_fact {
    const char *text, *other; /* either may match; NULL: there is none */
    int64_t number;           /* of what has an order; < 0: not known */
};
/* Does a condition hold? Of WHERE_VALUE `fact.text` is the JSON object that has
 * the value. */
bool where_holds(const struct where_condition *c, struct where_fact fact);
