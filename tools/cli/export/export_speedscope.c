/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speedscope's file format: an evented profile for each thread, the process
 * around the calls of its main thread. There is no room for states, so a frame
 * of a call that did not end well has it in its name. A profile is a stack:
 * what overlaps what is open on its thread stands in a further profile.
 */
#include "tools/cli/export/export.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATES = 4,
    NO_FRAME = 0, /* frames are counted from 1 here */
};
static const char *const states[STATES] = {"ok", "error", "unfinished", "open"};

struct open_frame {
    uint64_t id;
    int64_t end_ns;
    uint32_t frame;
};
struct event {
    int64_t at_ns; /* since the trace began */
    uint32_t frame;
    bool is_close;
};
struct profile {
    struct profile *next; /* of the same thread */
    const struct query_process *process;
    const struct query_thread *thread;
    struct open_frame *open;
    struct event *events;
    size_t open_count, open_cap, event_count, event_cap;
    int64_t last_ns;
    int number; /* 1: the thread's first */
};
struct frame {
    const char *name, *object;
    int state;
};
struct speedscope {
    const struct export *x;
    struct profile **of_thread, **of_process; /* the latter without a thread */
    struct profile **all;
    struct frame *frames;
    uint32_t *of_site, *of_name; /* frames by site or process and state */
    size_t profile_count, profile_cap, frame_count, frame_cap;
};

/* ---- frames -------------------------------------------------------------- */

static int state_of(const char *status)
{
    for (int i = 0; i < STATES; i++)
        if (status && strcmp(status, states[i]) == 0)
            return i;
    return 0;
}

/* NO_FRAME: no memory. */
static uint32_t frame_of(struct speedscope *o, const struct export_span *s)
{
    const struct query_detail *d = o->x->detail;
    int state = state_of(s->status);
    size_t unknown = d->site_count * STATES;
    uint32_t *at = &o->of_site[unknown + (size_t)state];
    if (s->is_process)
        at = &o->of_name[(size_t)(s->process - d->processes) * STATES +
                         (size_t)state];
    else if (s->site)
        at = &o->of_site[(size_t)(s->site - d->sites) * STATES + (size_t)state];
    if (*at != NO_FRAME || !export_grow(&o->frames, o->frame_count,
                                        &o->frame_cap, sizeof *o->frames))
        return *at;
    o->frames[o->frame_count++] = (struct frame){s->name, s->object, state};
    return *at = (uint32_t)o->frame_count;
}

/* ---- profiles ------------------------------------------------------------ */

static bool put_event(struct profile *p, int64_t at_ns, uint32_t frame,
                      bool is_close)
{
    if (!export_grow(&p->events, p->event_count, &p->event_cap,
                     sizeof *p->events))
        return false;
    p->events[p->event_count++] = (struct event){at_ns, frame, is_close};
    p->last_ns = at_ns;
    return true;
}

static bool close_top(struct profile *p)
{
    const struct open_frame *top = &p->open[--p->open_count];
    return put_event(p, top->end_ns, top->frame, true);
}

/* What is over when this begins is closed; not what it was called in. */
static bool pass_time(struct profile *p, int64_t now_ns, uint64_t parent)
{
    while (p->open_count > 0) {
        const struct open_frame *top = &p->open[p->open_count - 1];
        if (top->end_ns > now_ns ||
            (top->end_ns == now_ns && top->id == parent))
            return true;
        if (!close_top(p))
            return false;
    }
    return true;
}

/* Does the span lie in what is open on top: its parent, or, if that is of
 * another thread or over, what its thread did when the work came? */
static bool fits(const struct profile *p, const struct export_span *s,
                 int64_t start_ns, int64_t end_ns, bool is_parent_open)
{
    if (p->last_ns > start_ns)
        return false;
    if (p->open_count == 0)
        return true;
    const struct open_frame *top = &p->open[p->open_count - 1];
    return end_ns <= top->end_ns &&
           (!is_parent_open || top->id == s->parent_id);
}

static bool is_open(const struct profile *p, uint64_t id)
{
    for (size_t i = p->open_count; id && i > 0; i--)
        if (p->open[i - 1].id == id)
            return true;
    return false;
}

static struct profile *add_profile(struct speedscope *o,
                                   const struct export_span *s, int number)
{
    struct profile *p = calloc(1, sizeof *p);
    if (!p || !export_grow(&o->all, o->profile_count, &o->profile_cap,
                           sizeof *o->all))
        return free(p), NULL;
    *p = (struct profile){.process = s->process,
                          .thread = s->thread,
                          .last_ns = INT64_MIN,
                          .number = number};
    return o->all[o->profile_count++] = p;
}

/* NULL: no memory. */
static struct profile *profile_of(struct speedscope *o,
                                  const struct export_span *s, int64_t start_ns,
                                  int64_t end_ns)
{
    const struct query_detail *d = o->x->detail;
    struct profile **first = s->thread ? &o->of_thread[s->thread - d->threads]
                             : s->process
                                 ? &o->of_process[s->process - d->processes]
                                 : &o->of_process[d->process_count];
    bool is_parent_open = false;
    for (struct profile *p = *first; p; p = p->next) {
        if (!pass_time(p, start_ns, s->parent_id))
            return NULL;
        is_parent_open |= is_open(p, s->parent_id);
    }
    int number = 1;
    for (; *first; first = &(*first)->next, number++)
        if (fits(*first, s, start_ns, end_ns, is_parent_open))
            return *first;
    return *first = add_profile(o, s, number);
}

static int add(void *context, const struct export_span *s)
{
    struct speedscope *o = context;
    int64_t start = s->start_unix_ns - o->x->start_ns;
    int64_t end = s->shown_end_ns - o->x->start_ns;
    uint32_t frame = frame_of(o, s);
    struct profile *p = profile_of(o, s, start, end);
    if (!p || frame == NO_FRAME || !put_event(p, start, frame, false) ||
        !export_grow(&p->open, p->open_count, &p->open_cap, sizeof *p->open))
        return -ENOMEM;
    p->open[p->open_count++] = (struct open_frame){s->id, end, frame};
    return 0;
}

/* ---- writing ------------------------------------------------------------- */

static int put_frame(const struct frame *f, FILE *out)
{
    char *name = NULL;
    if (f->state && asprintf(&name, "%s [%s]", f->name, states[f->state]) < 0)
        return -ENOMEM;
    struct cJSON *o = json_object();
    json_text(o, "name", name ? name : f->name);
    if (*f->object)
        json_text(o, "file", export_base(f->object));
    free(name);
    return json_print(out, o);
}

/* "prog 4711 worker 4712", "... (overlapping 2)" */
static void name_profile(const struct profile *p, char *out, size_t cap)
{
    char more[32] = "";
    const struct query_thread *t = p->thread;
    if (p->number > 1)
        snprintf(more, sizeof more, " (overlapping %d)", p->number);
    snprintf(out, cap, "%s %" PRId64 " %s %" PRId64 "%s",
             p->process && p->process->name ? p->process->name : "?",
             p->process ? p->process->pid : -1, t && t->name ? t->name : "?",
             t ? t->tid : -1, more);
}

static int put_profile(const struct speedscope *o, const struct profile *p,
                       bool is_first)
{
    FILE *out = o->x->out;
    char name[512];
    name_profile(p, name, sizeof name);
    int64_t end = o->x->end_ns - o->x->start_ns;
    fputs(is_first ? "{\"name\":" : ",{\"name\":", out);
    int err = json_print(out, json_string(name));
    fprintf(out,
            ",\"type\":\"evented\",\"unit\":\"nanoseconds\","
            "\"startValue\":0,\"endValue\":%" PRId64 ",\"events\":[\n",
            end > p->last_ns ? end : p->last_ns);
    for (size_t i = 0; i < p->event_count; i++)
        fprintf(out, "%s{\"type\":\"%s\",\"frame\":%u,\"at\":%" PRId64 "}",
                i ? ",\n" : "", p->events[i].is_close ? "C" : "O",
                p->events[i].frame - 1, p->events[i].at_ns);
    fputs("]}\n", out);
    return err ? err : ferror(out) ? -EIO : 0;
}

static int put_all(struct speedscope *o)
{
    FILE *out = o->x->out;
    fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
          "\"exporter\":\"handspan " HANDSPAN_VERSION "\",\"name\":",
          out);
    const char *name = o->x->trace->name;
    int err = json_print(out, json_string(name ? name : "?"));
    fputs(",\"activeProfileIndex\":0,\"shared\":{\"frames\":[\n", out);
    for (size_t i = 0; !err && i < o->frame_count; i++) {
        fputs(i ? "," : "", out);
        err = put_frame(&o->frames[i], out);
    }
    fputs("]},\"profiles\":[\n", out);
    for (size_t i = 0; !err && i < o->profile_count; i++) {
        while (!err && o->all[i]->open_count > 0)
            err = close_top(o->all[i]) ? 0 : -ENOMEM;
        if (!err)
            err = put_profile(o, o->all[i], i == 0);
    }
    fputs("]}\n", out);
    return err;
}

static void release(struct speedscope *o)
{
    for (size_t i = 0; i < o->profile_count; i++) {
        free(o->all[i]->open);
        free(o->all[i]->events);
        free(o->all[i]);
    }
    free(o->all);
    free(o->frames);
    free(o->of_thread);
    free(o->of_process);
    free(o->of_site);
    free(o->of_name);
}

int export_speedscope(const struct export *x)
{
    const struct query_detail *d = x->detail;
    struct speedscope o = {
        .x = x,
        .of_thread = calloc(d->thread_count + 1, sizeof *o.of_thread),
        .of_process = calloc(d->process_count + 1, sizeof *o.of_process),
        .of_site = calloc((d->site_count + 1) * STATES, sizeof *o.of_site),
        .of_name = calloc((d->process_count + 1) * STATES, sizeof *o.of_name)};
    bool is_ready = o.of_thread && o.of_process && o.of_site && o.of_name;
    int err = is_ready ? export_each(x, add, &o) : -ENOMEM;
    if (!err)
        err = put_all(&o);
    release(&o);
    return err;
}
