/* SPDX-License-Identifier: Apache-2.0 */
/* The critical path in the lanes of a trace; see bars.h and ask.h. */
#include "tools/common/text/format.h"
#include "tools/query/tree.h"
#include "tools/serve/ask.h"
#include "tools/serve/bars.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct finder {
    struct bars *bars;
    const struct query_tree *tree;
    size_t cap;
    int err;
};

static void add(void *context, uint32_t at, int64_t from_ns, int64_t to_ns)
{
    struct finder *f = context;
    struct bars *b = f->bars;
    const struct query_item *item = &f->tree->items[at];
    if (b->path_count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 256;
        void *more = reallocarray(b->path, cap, sizeof *b->path);
        if (!more) {
            f->err = -ENOMEM;
            return;
        }
        b->path = more;
        f->cap = cap;
    }
    int64_t zero = b->trace.start_unix_ns;
    const struct bar *bar =
        item->session == QUERY_NONE
            ? NULL
            : bars_find_at(b, b->detail.sessions[item->session].session,
                           item->ref, item->start_ns - zero);
    b->path[b->path_count++] =
        (struct bar_stretch){.lane = bar ? (int32_t)bar->lane : -1,
                             .row = bar ? bar->row : 0,
                             .from_ns = from_ns - zero,
                             .to_ns = to_ns - zero};
}

int bars_find_path(struct query_db *db, struct bars *b)
{
    struct query_tree tree = {0};
    struct finder f = {.bars = b, .tree = &tree};
    int err = query_tree_load(db, &b->trace, &b->detail, format_now_ns(), false,
                              &tree);
    if (!err)
        err = query_tree_critical_path(&tree, add, &f);
    query_tree_free(&tree);
    b->has_path = !err && !f.err;
    return err ? err : f.err;
}

/* Stretches of a lane that are shorter than a cell, one after the other, are
 * told as one, in the outermost of their rows. */
static bool joins(const struct bar_stretch *open, const struct bar_stretch *s,
                  int64_t cell_ns)
{
    return open->lane == s->lane && open->from_ns == s->to_ns &&
           s->to_ns - s->from_ns < cell_ns &&
           (open->row == s->row || open->to_ns - open->from_ns < cell_ns);
}

static void put(FILE *out, const struct bar_stretch *s, int *count)
{
    fprintf(out, "%s[%d,%d,%" PRId64 ",%" PRId64 "]", (*count)++ ? "," : "",
            s->lane, s->row, s->from_ns, s->to_ns);
}

static void put_path(FILE *out, const struct bars *b, int64_t from_ns,
                     int64_t to_ns, int64_t cell_ns)
{
    struct bar_stretch open = {0};
    bool is_open = false;
    int count = 0;
    for (size_t i = 0; i < b->path_count; i++) {
        const struct bar_stretch *s = &b->path[i];
        if (s->to_ns <= from_ns || s->from_ns >= to_ns)
            continue;
        if (is_open && joins(&open, s, cell_ns)) {
            open.from_ns = s->from_ns;
            open.row = s->row < open.row ? s->row : open.row;
            continue;
        }
        if (is_open)
            put(out, &open, &count);
        open = *s;
        is_open = true;
    }
    if (is_open)
        put(out, &open, &count);
}

int ask_critical(struct ask *ask, FILE *out)
{
    const int64_t most = INT64_C(1) << 53;
    int64_t px, from_ns, to_ns;
    int err;
    const struct bars *b = bars_take(ask->view.db, ask->trace, &err);
    if (!b)
        return ask_status(ask, err);
    bool fine = ask_number(ask, "px", 1, 100000, 4000, &px) &&
                ask_number(ask, "from", -most, most, -most, &from_ns) &&
                ask_number(ask, "to", -most, most, most, &to_ns);
    if (fine)
        err = bars_path(ask->view.db, b);
    if (fine && !err) {
        int64_t low = from_ns > 0 ? from_ns : 0;
        int64_t high = to_ns < b->end_ns ? to_ns : b->end_ns;
        fputs("{\"path\":[", out);
        put_path(out, b, from_ns, to_ns, (high - low) / px);
        fputs("]}\n", out);
    }
    bars_release(b);
    return fine ? ask_status(ask, err) : 400;
}
