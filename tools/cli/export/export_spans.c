/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a trace as the formats without values have them; see export.h */
#include "tools/cli/export/export.h"
#include "tools/common/text/format.h"
#include <stdlib.h>
#include <string.h>

bool export_grow(void *array, size_t count, size_t *cap, size_t size)
{
    void **at = array;
    if (count < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 16;
    void *bigger = reallocarray(*at, more, size);
    if (!bigger)
        return false;
    *at = bigger;
    *cap = more;
    return true;
}

struct walk {
    const struct export *x;
    int (*each)(void *context, const struct export_span *s);
    void *context;
};

const char *export_base(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "";
}

struct export export_init(struct view *v, const struct query_trace *trace,
                          const struct query_detail *detail, FILE *out)
{
    struct export x = {.db = v->db,
                       .trace = trace,
                       .detail = detail,
                       .out = out,
                       .start_ns = trace->start_unix_ns,
                       .end_ns = trace->duration_ns >= 0
                                     ? trace->start_unix_ns + trace->duration_ns
                                     : format_now_ns()};
    for (size_t i = 0; i < detail->process_count; i++)
        if (detail->processes[i].trace == trace->trace &&
            detail->processes[i].start_unix_ns < x.start_ns)
            x.start_ns = detail->processes[i].start_unix_ns;
    return x;
}

static int64_t shown_end(const struct export *x, const struct query_process *p,
                         int64_t start_ns, int64_t duration_ns)
{
    if (duration_ns >= 0)
        return start_ns + duration_ns;
    int64_t end = p && p->duration_ns >= 0 ? p->start_unix_ns + p->duration_ns
                                           : x->end_ns;
    return end > start_ns ? end : start_ns;
}

static const struct query_thread *main_thread(const struct query_detail *d,
                                              const struct query_process *p)
{
    for (size_t i = 0; i < d->thread_count; i++)
        if (d->threads[i].session == p->session &&
            d->threads[i].process_idx == p->idx && d->threads[i].tid == p->pid)
            return &d->threads[i];
    return NULL;
}

static struct export_span of_process(const struct export *x,
                                     const struct query_process *p)
{
    int64_t ref = query_process_ref(p->idx), parent = query_process_parent(p);
    return (struct export_span){
        .id = query_span_id(x->detail, p->session, ref),
        .parent_id = query_parent_span_id(x->detail, p->session, ref, parent),
        .session = p->session,
        .ref = ref,
        .parent_ref = parent,
        .is_process = true,
        .name = p->name ? p->name : "?",
        .object = p->program ? p->program : "",
        .process = p,
        .thread = main_thread(x->detail, p),
        .pid = p->pid,
        .tid = p->pid,
        .start_unix_ns = p->start_unix_ns,
        .shown_end_ns = shown_end(x, NULL, p->start_unix_ns, p->duration_ns),
        .duration_ns = p->duration_ns,
        .self_ns = -1,
        .cpu_ns = p->cpu_ns,
        .status = p->status,
        .ended_by = p->ended_by};
}

static struct export_span of_call(const struct export *x,
                                  const struct query_span *s)
{
    const struct query_detail *d = x->detail;
    const struct query_site *site = query_site_find(d, s->session, s->site);
    const struct query_process *p =
        query_process_find(d, s->session, s->process_idx);
    const struct query_thread *t =
        query_thread_find(d, s->session, s->ref, s->generation);
    return (struct export_span){
        .id = query_span_id(d, s->session, s->ref),
        .parent_id = query_parent_span_id(d, s->session, s->ref, s->parent_ref),
        .session = s->session,
        .ref = s->ref,
        .parent_ref = s->parent_ref,
        .is_orphan = s->orphan != NULL,
        .name = site && site->name ? site->name : "?",
        .object = site && site->object ? site->object : "",
        .process = p,
        .thread = t,
        .site = site,
        .pid = p ? p->pid : -1,
        .tid = t ? t->tid : -1,
        .start_unix_ns = s->start_unix_ns,
        .shown_end_ns = shown_end(x, p, s->start_unix_ns, s->duration_ns),
        .duration_ns = s->duration_ns,
        .self_ns = s->self_ns,
        .cpu_ns = s->cpu_ns,
        .status = s->status,
        .ended_by = s->ended_by,
        .links = s->links};
}

static int put_call(void *context, const struct query_span *s)
{
    const struct walk *w = context;
    struct export_span span = of_call(w->x, s);
    return w->each(w->context, &span);
}

int export_each(const struct export *x,
                int (*each)(void *context, const struct export_span *s),
                void *context)
{
    const struct query_detail *d = x->detail;
    struct walk walk = {x, each, context};
    int err = 0;
    for (size_t i = 0; !err && i < d->process_count; i++) {
        if (d->processes[i].trace != x->trace->trace)
            continue;
        struct export_span span = of_process(x, &d->processes[i]);
        err = each(context, &span);
    }
    return err ? err
               : query_spans(x->db, x->trace->trace, false, put_call, &walk);
}
