/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, processes, handlers, threads, totals of one trace; see detail.h. */
#include "tools/query/detail.h"
#include "lane/format/ids.h"
#include "tools/common/text/buf.h"
#include "query_sql.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESS_LANE 0xffffULL
#define COUNTER_MASK 0xffffffffffffULL

enum {
    COMMAND_MAX = 4096,
    COMMAND_SHOWN = 200, /* bytes */
};

/* Run a statement on a trace and hand each row to `read`, which fills a zeroed
 * entry of entry_bytes. */
static int load(struct query_db *db, const char *sql, int64_t trace,
                size_t entry_bytes, void (*read)(sqlite3_stmt *, void *),
                void *array_out, size_t *count_out)
{
    sqlite3_stmt *stmt = query_prepare(db, sql);
    if (!stmt)
        return -EIO;
    query_bind_int(stmt, ":trace", trace);
    char *array = NULL;
    size_t count = 0, cap = 0;
    int step;
    while ((step = query_step(db, stmt)) > 0) {
        if (count == cap) {
            cap = cap ? cap * 2 : 16;
            char *grown = realloc(array, cap * entry_bytes);
            if (!grown) {
                step = -ENOMEM;
                break;
            }
            array = grown;
        }
        memset(array + count * entry_bytes, 0, entry_bytes);
        read(stmt, array + count * entry_bytes);
        count++;
    }
    query_finish(stmt);
    memcpy(array_out, &array, sizeof array);
    *count_out = count;
    return step;
}

static void read_session(sqlite3_stmt *stmt, void *entry)
{
    struct query_session *s = entry;
    s->session = query_int(stmt, 0, 0);
    s->key = query_blob64(stmt, 1);
    s->host = query_text_copy(stmt, 2);
    s->service = query_text_copy(stmt, 3);
    s->state = query_text_copy(stmt, 4);
    s->note = query_text_copy(stmt, 5);
    s->file = query_text_copy(stmt, 6);
    s->resource = query_text_copy(stmt, 9);
    s->remote_parent = query_blob64(stmt, 7);
    s->root_ref = query_int(stmt, 8, 0);
}

/* A process that left the trace is shown by what it became. */
static char *process_label(const struct query_process *p)
{
    static const char *const whys[][2] = {
        {"static", "static"},     {"privileged", "setuid"},
        {"foreign", "foreign"},   {"cleared", "cleared"},
        {"root", "another root"}, {"user", "another user"}};
    const char *why = NULL, *name = p->name;
    char *label = NULL;
    for (size_t i = 0; p->lost && i < sizeof whys / sizeof *whys; i++)
        if (strcmp(p->lost, whys[i][0]) == 0)
            why = whys[i][1];
    if (!name)
        return NULL;
    if (!why)
        return strdup(name);
    if (p->target && *p->target) {
        const char *slash = strrchr(p->target, '/');
        name = slash ? slash + 1 : p->target;
    }
    size_t cap = strlen(name) + strlen(why) + sizeof " (untraced: )";
    label = malloc(cap);
    if (label)
        snprintf(label, cap, "%s (untraced: %s)", name, why);
    return label;
}

void query_command_line(const char *json, int from, struct buf *b)
{
    size_t most = b->len_bytes + COMMAND_SHOWN;
    cJSON *argv = json ? cJSON_Parse(json) : NULL;
    const cJSON *a;
    cJSON_ArrayForEach(a, argv)
    {
        if (from-- > 0 || !cJSON_IsString(a))
            continue;
        if (b->len_bytes >= most) {
            buf_text(b, " ...");
            break;
        }
        if (b->len_bytes)
            buf_char(b, ' ');
        buf_printf(b, "%.*s", COMMAND_SHOWN, a->valuestring);
    }
    cJSON_Delete(argv);
}

/* A process that failed among others: which one, and how. */
static char *failed_label(const struct query_process *p)
{
    struct buf b;
    if (!p->status || strcmp(p->status, "error") != 0 || !p->label)
        return NULL;
    buf_init(&b, COMMAND_MAX);
    buf_text(&b, p->label);
    query_command_line(p->command, 1, &b);
    const char *signal = p->signal > 0 ? sigabbrev_np((int)p->signal) : NULL;
    if (signal)
        buf_printf(&b, ": SIG%s", signal);
    else if (p->exit_code >= 0)
        buf_printf(&b, ": exit %lld", (long long)p->exit_code);
    char *label = strdup(buf_get(&b));
    buf_free(&b);
    return label;
}

static void read_process(sqlite3_stmt *stmt, void *entry)
{
    struct query_process *p = entry;
    p->session = query_int(stmt, 0, 0);
    p->idx = query_int(stmt, 1, 0);
    p->trace = query_int(stmt, 2, 0);
    p->pid = query_int(stmt, 3, -1);
    p->parent_idx = query_int(stmt, 4, -1);
    p->parent_ref = query_int(stmt, 5, 0);
    p->name = query_text_copy(stmt, 6);
    p->program = query_text_copy(stmt, 7);
    p->command = query_text_copy(stmt, 8);
    p->start_unix_ns = query_int(stmt, 9, 0);
    p->duration_ns = query_int(stmt, 10, -1);
    p->cpu_ns = query_int(stmt, 11, -1);
    p->peak_bytes = query_int(stmt, 12, -1);
    p->peak_is_lower_bound = query_int(stmt, 13, 0) != 0;
    p->status = query_text_copy(stmt, 14);
    p->ended_by = query_text_copy(stmt, 15);
    p->exit_code = query_int(stmt, 16, -1);
    p->signal = query_int(stmt, 17, -1);
    p->end_source = query_text_copy(stmt, 18);
    p->lost = query_text_copy(stmt, 19);
    p->target = query_text_copy(stmt, 20);
    p->end_least_ns = query_int(stmt, 21, -1);
    p->end_most_ns = query_int(stmt, 22, -1);
    p->loading_ns = query_int(stmt, 23, -1);
    p->loading_cpu_ns = query_int(stmt, 24, -1);
    p->label = process_label(p);
    p->failed_label = failed_label(p);
}

static void read_site(sqlite3_stmt *stmt, void *entry)
{
    struct query_site *s = entry;
    s->session = query_int(stmt, 0, 0);
    s->site = query_int(stmt, 1, 0);
    s->name = query_text_copy(stmt, 2);
    s->symbol = query_text_copy(stmt, 3);
    s->object = query_text_copy(stmt, 4);
    s->binding = query_text_copy(stmt, 5);
    s->shim = query_text_copy(stmt, 6);
    s->reason = query_text_copy(stmt, 7);
    s->address = query_int(stmt, 8, -1);
    s->build_id = query_text_copy(stmt, 9);
    s->declaration = query_int(stmt, 10, -1);
    s->is_root = query_int(stmt, 11, 0) != 0;
    s->slow_ns = query_int(stmt, 12, -1);
    s->declared = query_text_copy(stmt, 13);
    s->manifest = query_text_copy(stmt, 14);
    s->unseen = query_text_copy(stmt, 15);
    s->open = query_int(stmt, 16, 0);
    s->file = query_text_copy(stmt, 17);
    s->line = query_int(stmt, 18, -1);
}

static void read_thread(sqlite3_stmt *stmt, void *entry)
{
    struct query_thread *t = entry;
    t->session = query_int(stmt, 0, 0);
    t->lane = query_int(stmt, 1, 0);
    t->generation = query_int(stmt, 2, 0);
    t->process_idx = query_int(stmt, 3, -1);
    t->tid = query_int(stmt, 4, -1);
    t->name = query_text_copy(stmt, 5);
}

static void read_rollup(sqlite3_stmt *stmt, void *entry)
{
    struct query_rollup *r = entry;
    r->session = query_int(stmt, 0, 0);
    r->site = query_int(stmt, 1, 0);
    r->calls = query_int(stmt, 2, 0);
    r->errors = query_int(stmt, 3, 0);
    r->total_ns = query_int(stmt, 4, 0);
    r->self_ns = query_int(stmt, 5, 0);
    r->max_ns = query_int(stmt, 6, 0);
    r->cpu_ns = query_int(stmt, 7, 0);
    r->dropped_calls = query_int(stmt, 8, 0);
    r->histogram = query_text_copy(stmt, 9);
    r->slow_calls = query_int(stmt, 10, 0);
    r->cpu_unknown = query_int(stmt, 11, -1);
    r->top_cpu_ns = query_int(stmt, 12, 0);
    r->dropped_top_ns = query_int(stmt, 13, 0);
    r->untimed_calls = query_int(stmt, 14, 0);
    r->loose_calls = query_int(stmt, 15, 0);
}

static void read_loss(sqlite3_stmt *stmt, void *entry)
{
    struct query_loss *l = entry;
    l->kind = query_text_copy(stmt, 0);
    l->count = query_int(stmt, 1, 0);
}

static void read_text(sqlite3_stmt *stmt, void *entry)
{
    struct query_text_share *t = entry;
    t->name = query_text_copy(stmt, 0);
    t->key = query_text_copy(stmt, 1);
    t->bytes = query_int(stmt, 2, 0);
    t->all_bytes = query_int(stmt, 3, 0);
    t->calls = query_int(stmt, 4, 0);
}

static void read_overdue(sqlite3_stmt *stmt, void *entry)
{
    struct query_overdue *o = entry;
    o->session = query_int(stmt, 0, 0);
    o->ref = query_int(stmt, 1, 0);
    o->at_unix_ns = query_int(stmt, 2, 0);
    o->limit_ns = query_int(stmt, 3, 0);
    o->detail = query_text_copy(stmt, 4);
    o->name = query_text_copy(stmt, 5);
    o->status = query_text_copy(stmt, 6);
    o->start_unix_ns = query_int(stmt, 7, 0);
    o->duration_ns = query_int(stmt, 8, -1);
}

static void read_pause(sqlite3_stmt *stmt, void *entry)
{
    struct query_pause *p = entry;
    p->session = query_int(stmt, 0, 0);
    p->from_unix_ns = query_int(stmt, 1, 0);
    p->until_unix_ns = query_int(stmt, 2, -1);
    p->pid = query_int(stmt, 3, -1);
}

static void read_throw(sqlite3_stmt *stmt, void *entry)
{
    struct query_throw *t = entry;
    t->name = query_text_copy(stmt, 0);
    t->type = query_text_copy(stmt, 1);
    t->count = query_int(stmt, 2, 0);
}

#define LOAD(what, sql, array)                                                 \
    (err = err ? err                                                           \
               : load(db, query_sql_trace_##sql, trace, sizeof *d->array,      \
                      read_##what, &d->array, &d->what##_count))

static bool has_no_room(const struct query_detail *d)
{
    for (size_t i = 0; i < d->loss_count; i++) {
        const char *kind = d->losses[i].kind;
        if (kind && (strcmp(kind, "lost_captures") == 0 ||
                     strcmp(kind, "lost_records") == 0))
            return true;
    }
    return false;
}

int query_detail_load(struct query_db *db, int64_t trace,
                      struct query_detail *d)
{
    int err = 0;
    *d = (struct query_detail){0};
    LOAD(session, sessions, sessions);
    LOAD(process, processes, processes);
    LOAD(site, sites, sites);
    LOAD(thread, threads, threads);
    LOAD(rollup, rollups, rollups);
    LOAD(loss, losses, losses);
    LOAD(overdue, overdue, overdues);
    LOAD(throw, throws, throws);
    LOAD(pause, pauses, pauses);
    if (has_no_room(d))
        LOAD(text, texts, texts);
    if (err)
        query_detail_free(d);
    return err;
}

int query_throws_load(struct query_db *db, struct query_detail *d)
{
    *d = (struct query_detail){0};
    return load(db, query_sql_trace_throws, 0, sizeof *d->throws, read_throw,
                &d->throws, &d->throw_count);
}

#define FREE_EACH(array, n, ...)                                               \
    do {                                                                       \
        for (size_t i = 0; i < d->n; i++) {                                    \
            void *const texts[] = {__VA_ARGS__};                               \
            for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)          \
                free(texts[j]);                                                \
        }                                                                      \
        free(d->array);                                                        \
    } while (0)

void query_detail_free(struct query_detail *d)
{
    FREE_EACH(sessions, session_count, d->sessions[i].host,
              d->sessions[i].service, d->sessions[i].state, d->sessions[i].note,
              d->sessions[i].file, d->sessions[i].resource);
    FREE_EACH(processes, process_count, d->processes[i].name,
              d->processes[i].program, d->processes[i].command,
              d->processes[i].status, d->processes[i].ended_by,
              d->processes[i].end_source, d->processes[i].lost,
              d->processes[i].target, d->processes[i].label,
              d->processes[i].failed_label);
    FREE_EACH(sites, site_count, d->sites[i].name, d->sites[i].symbol,
              d->sites[i].object, d->sites[i].binding, d->sites[i].shim,
              d->sites[i].reason, d->sites[i].build_id, d->sites[i].declared,
              d->sites[i].manifest, d->sites[i].unseen, d->sites[i].file);
    FREE_EACH(threads, thread_count, d->threads[i].name);
    FREE_EACH(rollups, rollup_count, d->rollups[i].histogram);
    FREE_EACH(losses, loss_count, d->losses[i].kind);
    FREE_EACH(texts, text_count, d->texts[i].name, d->texts[i].key);
    FREE_EACH(overdues, overdue_count, d->overdues[i].detail,
              d->overdues[i].name, d->overdues[i].status);
    FREE_EACH(throws, throw_count, d->throws[i].name, d->throws[i].type);
    free(d->pauses);
    *d = (struct query_detail){0};
}

const struct query_session *query_session_find(const struct query_detail *d,
                                               int64_t session)
{
    for (size_t i = 0; i < d->session_count; i++)
        if (d->sessions[i].session == session)
            return &d->sessions[i];
    return NULL;
}

const struct query_process *query_process_find(const struct query_detail *d,
                                               int64_t session, int64_t idx)
{
    size_t low = 0, high = d->process_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct query_process *p = &d->processes[middle];
        if (p->session == session && p->idx == idx)
            return p;
        if (p->session < session || (p->session == session && p->idx < idx))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct query_site *query_site_find(const struct query_detail *d,
                                         int64_t session, int64_t site)
{
    size_t low = 0, high = d->site_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct query_site *s = &d->sites[middle];
        if (s->session == session && s->site == site)
            return s;
        if (s->session < session || (s->session == session && s->site < site))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct query_thread *query_thread_find(const struct query_detail *d,
                                             int64_t session, int64_t ref,
                                             int64_t generation)
{
    int64_t lane = (int64_t)((uint64_t)ref >> 48);
    size_t low = 0, high = d->thread_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct query_thread *t = &d->threads[middle];
        if (t->session == session && t->lane == lane &&
            t->generation == generation)
            return t;
        if (t->session < session ||
            (t->session == session &&
             (t->lane < lane ||
              (t->lane == lane && t->generation < generation))))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct query_overdue *query_overdue_find(const struct query_detail *d,
                                               int64_t session, int64_t ref)
{
    size_t low = 0, high = d->overdue_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct query_overdue *o = &d->overdues[middle];
        if (o->session == session && o->ref == ref)
            return o;
        if (o->session < session || (o->session == session && o->ref < ref))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint64_t query_span_id(const struct query_detail *d, int64_t session,
                       int64_t ref)
{
    const struct query_session *s = query_session_find(d, session);
    return s ? lane_span_id(s->key, (uint64_t)ref) : 0;
}

/* Right to have no parent in its session. */
static bool is_root(const struct query_session *s, int64_t ref)
{
    return query_ref_process(ref) >= 0 || ref == s->root_ref;
}

uint64_t query_parent_span_id(const struct query_detail *d, int64_t session,
                              int64_t ref, int64_t parent_ref)
{
    const struct query_session *s = query_session_find(d, session);
    if (!s)
        return 0;
    uint64_t id = lane_span_id(s->key, (uint64_t)parent_ref);
    return id || !is_root(s, ref) ? id : s->remote_parent;
}

int64_t query_process_parent(const struct query_process *p)
{
    if (p->parent_ref)
        return p->parent_ref;
    return p->parent_idx >= 0 ? query_process_ref(p->parent_idx) : 0;
}

int64_t query_process_ref(int64_t idx)
{
    return (int64_t)(PROCESS_LANE << 48 | ((uint64_t)idx + 1));
}

int64_t query_ref_process(int64_t ref)
{
    uint64_t bits = (uint64_t)ref;
    return bits >> 48 == PROCESS_LANE ? (int64_t)(bits & COUNTER_MASK) - 1 : -1;
}
