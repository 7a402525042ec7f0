/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of an error of the store (JSON) as people read them. */
#pragma once
#include <stdbool.h>
#include "tools/common/text/buf.h"

struct cJSON;

/* A frame of a stack. Texts point into the JSON; NULL unknown. */
struct query_frame {
    const char *function, *file, *object, *offset, *build_id;
    const char *trouble; /* why there are no names */
    int line;            /* 0 unknown */
    const char *handler; /* name of the handler that it is */
    bool inlined, is_guess;
    bool has_debug; /* its object's debug file is there: no line in it */
};
struct query_frame query_frame_read(const struct cJSON *frame);

/* The last part of a path; of NULL "?". */
const char *query_base_name(const char *path);

/*
 * The frame that a person would look at first: the innermost one of the
 * program's own
 * objects with a line of its own sources, else the innermost one of them, else
 * the innermost of all. `is_inside`: none above the innermost handler, where it
 * is on the stack: what called it is nobody's place. NULL: the array has none.
 */
const struct cJSON *query_frame_to_blame(const struct cJSON *frames,
                                         bool is_inside);

enum query_cause_part {
    QUERY_CAUSE_ERROR = 1, /* `open("/data/x.csv") = ENOENT` */
    QUERY_CAUSE_WORDS = 2, /* (No such file or directory) */
    QUERY_CAUSE_ALL_ARGUMENTS = 4,
};
/* `open("/data/x.csv")` and the parts asked for; nothing without a cause. */
void query_cause_text(const struct cJSON *cause, int parts, struct buf *b);
