/* SPDX-License-Identifier: Apache-2.0 */
/* See export_lines.h. */
#include "tools/cli/export/export_lines.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is open -------------------------------------------------------- */

static struct export_line *line_of(const struct export_lines *l,
                                   const struct query_thread *thread)
{
    const struct query_detail *d = l->x->detail;
    return &l->line[thread ? (size_t)(thread - d->threads) : d->thread_count];
}

static int push(struct export_line *line, const struct export_span *s,
                uint64_t async_id)
{
    if (!export_grow(&line->levels, line->count, &line->cap,
                     sizeof *line->levels))
        return -ENOMEM;
    line->levels[line->count++] =
        (struct export_level){s->id, s->shown_end_ns, async_id};
    return 0;
}

/* What is over when this begins goes; not what it was called in. */
static void pass_time(struct export_line *line, const struct export_span *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct export_level *level = &line->levels[i];
        if (level->end_ns > s->start_unix_ns ||
            (level->end_ns == s->start_unix_ns && level->id == s->parent_id))
            line->levels[kept++] = *level;
    }
    line->count = kept;
}

/* NULL: what it hangs from is over, or of another thread. */
static const struct export_level *parent_of(const struct export_line *line,
                                            const struct export_span *s)
{
    for (size_t i = line->count; i > 0 && s->thread && s->parent_id; i--)
        if (line->levels[i - 1].id == s->parent_id)
            return &line->levels[i - 1];
    return NULL;
}

/* ---- arrows -------------------------------------------------------------- */

static int add_arrow(struct export_lines *l, uint64_t from, uint64_t to)
{
    if (!export_grow(&l->arrow, l->arrow_count, &l->arrow_cap,
                     sizeof *l->arrow))
        return -ENOMEM;
    l->arrow[l->arrow_count++] = (struct export_arrow){.from = from, .to = to};
    return 0;
}

static int add_links(struct export_lines *l, const char *text, uint64_t to)
{
    int err = 0;
    struct cJSON *links = cJSON_Parse(text);
    const struct cJSON *link;
    cJSON_ArrayForEach(link, links)
    {
        const char *trace = cJSON_GetStringValue(
            cJSON_GetObjectItemCaseSensitive(link, "trace_id"));
        const char *span = cJSON_GetStringValue(
            cJSON_GetObjectItemCaseSensitive(link, "span_id"));
        if (!err && trace && span && strcmp(trace, l->x->trace->hex) == 0)
            err = add_arrow(l, strtoull(span, NULL, 16), to);
    }
    cJSON_Delete(links);
    return err;
}

/* In the order of starts, with what is open on each thread. */
static int find_arrows(void *context, const struct export_span *s)
{
    struct export_lines *l = context;
    struct export_line *line = line_of(l, s->thread);
    int err = 0;
    pass_time(line, s);
    /* handed over: by another thread, or by a call that has returned */
    if (s->parent_id && query_ref_process(s->parent_ref) < 0 &&
        !parent_of(line, s))
        err = add_arrow(l, s->parent_id, s->id);
    if (!err && s->links)
        err = add_links(l, s->links, s->id);
    return err ? err : push(line, s, 0);
}

static int by_source(const void *a, const void *b)
{
    const struct export_arrow *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static int by_target(const void *a, const void *b)
{
    const struct export_arrow *x = a, *y = b;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* The arrows whose `from`, or `to`, is this; they are sorted by it. */
static struct export_arrow *arrows_of(const struct export_lines *l, uint64_t id,
                                      bool to, size_t *count)
{
    size_t low = 0, high = l->arrow_count, end;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((to ? l->arrow[mid].to : l->arrow[mid].from) < id)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < l->arrow_count &&
                    (to ? l->arrow[end].to : l->arrow[end].from) == id;)
        end++;
    *count = end - low;
    return l->arrow + low;
}

struct export_arrow *export_arrows_from(const struct export_lines *l,
                                        uint64_t id, size_t *count)
{
    return arrows_of(l, id, false, count);
}

void export_arrows_by_target(struct export_lines *l)
{
    if (l->arrow_count)
        qsort(l->arrow, l->arrow_count, sizeof *l->arrow, by_target);
}

struct export_arrow *export_arrows_to(const struct export_lines *l, uint64_t id,
                                      size_t *count)
{
    return arrows_of(l, id, true, count);
}

int export_lines_find(struct export_lines *l, const struct export *x)
{
    size_t threads = x->detail->thread_count;
    *l = (struct export_lines){.x = x,
                               .line = calloc(threads + 1, sizeof *l->line)};
    int err = l->line ? export_each(x, find_arrows, l) : -ENOMEM;
    if (l->arrow_count)
        qsort(l->arrow, l->arrow_count, sizeof *l->arrow, by_source);
    for (size_t i = 0; !err && i <= threads; i++)
        l->line[i].count = 0;
    return err;
}

void export_lines_free(struct export_lines *l)
{
    for (size_t i = 0; l->line && i <= l->x->detail->thread_count; i++)
        free(l->line[i].levels);
    free(l->line);
    free(l->arrow);
    *l = (struct export_lines){0};
}

/* ---- rows ---------------------------------------------------------------- */

/* See export_lines_place(). */
static uint64_t async_of(const struct export_line *line,
                         const struct export_span *s)
{
    const struct export_level *top = NULL, *parent = parent_of(line, s);
    if (!s->thread)
        return s->is_process ? 0 : s->id;
    if (parent && parent->async_id)
        return s->shown_end_ns <= parent->end_ns ? parent->async_id : s->id;
    for (size_t i = line->count; !top && i > 0; i--)
        if (!line->levels[i - 1].async_id)
            top = &line->levels[i - 1];
    if (!top)
        return 0;
    return s->shown_end_ns <= top->end_ns && (!parent || top == parent) ? 0
                                                                        : s->id;
}

int export_lines_place(struct export_lines *l, const struct export_span *s,
                       uint64_t *row)
{
    struct export_line *line = line_of(l, s->thread);
    pass_time(line, s);
    *row = async_of(line, s);
    return push(line, s, *row);
}
