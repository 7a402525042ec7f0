/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of each declaration in a trace that was recorded: the sites of
 * its sessions put together again, with their calls. The last lines of `show`
 * and `check --trace`.
 */
#pragma once
#include "tools/cli/check/bindings.h"
#include "tools/query/detail.h"

struct seen {
    const struct query_site *first; /* bound if one of them is */
    enum binding_status status;     /* OK PART TIMES NONE TWICE */
    size_t functions, bound;
    unsigned ways; /* enum binding_way */
    size_t frame_count, zero_copy_count;
    int64_t calls, errors;
    int64_t open;    /* of the calls */
    bool is_counted; /* some of what is bound makes spans */
    bool is_known;   /* whether all its copies are known */
    struct buf remark;
};
struct seen_list {
    struct seen *at;
    size_t count;
};
/* In the order of the manifests. The detail must outlive it. 0 or -ENOMEM. */
int seen_load(const struct query_detail *d, struct seen_list *out)
    __attribute__((warn_unused_result));
void seen_free(struct seen_list *list);
/* As the manifest has it: name of the span, or the glob. */
const char *seen_name(const struct seen *s);
