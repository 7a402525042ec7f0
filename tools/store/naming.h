/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for frames that were stored without, by `handspan symbolize`: which
 * places have none; then, when they got names, errors, stacks and groups of
 * the store with them. In short transactions, each leaves the store whole;
 * safe beside a sidecar.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct naming;

struct naming_place {
    char *key; /* of naming_places.c */
    char offset[24];
    bool is_exact;        /* not a return address */
    struct cJSON *frames; /* what it stands for; NULL: not known */
};
struct naming_object {
    char *path, *build_id;
    struct naming_place **place;
    size_t count;
};
struct naming_done {
    int64_t frames;         /* that have a name or a line now */
    int64_t errors, groups; /* that changed */
    int64_t sinks; /* that have spans of this store already, without names */
};

/* 0, or -errno with a sentence in `why`. */
int naming_open(const char *path, struct naming **out, char *why,
                size_t why_bytes) __attribute__((warn_unused_result));
void naming_close(struct naming *n);
const char *naming_why(const struct naming *n);

/* Find the places without names in the errors of a trace and of the groups
 * that they are in; of all if `trace_id` (16 bytes) is NULL. 0 or -errno. */
int naming_collect(struct naming *n, const uint8_t *trace_id)
    __attribute__((warn_unused_result));
struct naming_object *naming_objects(struct naming *n, size_t *count);
/* Write what the places got since. 0 or -errno. */
int naming_apply(struct naming *n, struct naming_done *done)
    __attribute__((warn_unused_result));
