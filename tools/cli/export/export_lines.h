/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in what on the rows of a viewer, and what was handed from row to
 * row: of formats whose readers make the tree of a thread from times alone.
 */
#pragma once
#include "tools/cli/export/export.h"

/* A span that is open at the moment that was reached, on its row. */
struct export_level {
    uint64_t id;
    int64_t end_ns;
    uint64_t async_id; /* 0: a slice */
};
struct export_line {
    struct export_level *levels;
    size_t count, cap;
};
/* A span whose parent was not open on its thread, or a link. */
struct export_arrow {
    uint64_t from, to; /* span ids */
    bool is_begun;     /* the caller's; false at first */
};
struct export_lines {
    const struct export *x;
    struct export_line *line; /* of each thread; then one of unknown ones */
    struct export_arrow *arrow;
    size_t arrow_count, arrow_cap;
};

/* A pass over all spans that finds the arrows, in order of their source. 0 or
 * -errno; export_lines_free() in any case. */
int export_lines_find(struct export_lines *l, const struct export *x)
    __attribute__((warn_unused_result));
void export_lines_free(struct export_lines *l);
/* In a second pass, in the same order, each span: *row 0, it lies in the slice
 * of its parent, or in what its thread did when the work came; else the
 * asynchronous row that it belongs to, named by the outermost span of it. 0 or
 * -ENOMEM. */
int export_lines_place(struct export_lines *l, const struct export_span *s,
                       uint64_t *row) __attribute__((warn_unused_result));

/* Those of this source; in order of their source. */
struct export_arrow *export_arrows_from(const struct export_lines *l,
                                        uint64_t id, size_t *count);
/* Those of this target, once they are sorted by it. */
void export_arrows_by_target(struct export_lines *l);
struct export_arrow *export_arrows_to(const struct export_lines *l, uint64_t id,
                                      size_t *count);
