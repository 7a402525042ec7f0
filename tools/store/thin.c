/* SPDX-License-Identifier: Apache-2.0 */
/* See thin.h. */
#include "tools/store/thin.h"
#include <search.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>
#include "sql/sql.h"
#include "tools/store/statements.h"

enum {
    KEEP_SLOWEST = 16, /* of each handler in a trace */
    LOOK_NS = 8000000, /* at spans, in a step */
    LOOK_EACH = 64,    /* spans between two looks at the clock */
};

/* Durations of the slowest calls of a handler: a heap, the least on top. */
struct rank {
    int64_t session, site;
    int64_t slow[KEEP_SLOWEST];
    int count;
    int ties; /* calls of just the least that may stay; -1: not counted yet */
};
/* A call that must stay, since one that stays was called from it. */
struct caller {
    int64_t session, ref;
};
struct place {
    int64_t start, session, ref;
};
struct thin {
    sqlite3 *db;
    struct remove_trace trace;
    bool is_running, is_taking;
    struct place at;
    int64_t spans; /* taken out */
    void *ranks, *callers;
    struct rank *last; /* most calls are of the handler of the one before */
    bool is_out_of_memory;
};

static const struct place newest = {INT64_MAX, INT64_MAX, INT64_MAX};

static int compare_pairs(const void *a, const void *b)
{
    const int64_t *x = a, *y = b; /* both structs begin with their key */
    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return x[1] == y[1] ? 0 : x[1] < y[1] ? -1 : 1;
}

struct thin *thin_begin(sqlite3 *db, const struct remove_trace *t,
                        bool is_running)
{
    struct thin *thin = calloc(1, sizeof *thin);
    if (thin)
        *thin = (struct thin){
            .db = db, .trace = *t, .is_running = is_running, .at = newest};
    return thin;
}

void thin_end(struct thin *thin)
{
    if (!thin)
        return;
    tdestroy(thin->ranks, free);
    tdestroy(thin->callers, free);
    free(thin);
}

/* ---- each handler's slowest ---------------------------------------------- */

static struct rank *rank_of(struct thin *thin, int64_t session, int64_t site)
{
    struct rank key = {.session = session, .site = site};
    if (thin->last && compare_pairs(thin->last, &key) == 0)
        return thin->last;
    struct rank **have = tfind(&key, &thin->ranks, compare_pairs);
    if (!have) {
        struct rank *made = calloc(1, sizeof *made);
        if (made)
            *made = (struct rank){.session = session, .site = site, .ties = -1};
        have = made ? tsearch(made, &thin->ranks, compare_pairs) : NULL;
        if (!have)
            free(made);
    }
    thin->last = have ? *have : NULL;
    thin->is_out_of_memory |= !have;
    return thin->last;
}

static void sift_down(struct rank *r, int64_t ns)
{
    int at = 0;
    for (int child; (child = 2 * at + 1) < r->count; at = child) {
        if (child + 1 < r->count && r->slow[child + 1] < r->slow[child])
            child++;
        if (ns <= r->slow[child])
            break;
        r->slow[at] = r->slow[child];
    }
    r->slow[at] = ns;
}

static void rank_add(struct rank *r, int64_t ns)
{
    if (r->count == KEEP_SLOWEST) {
        if (ns > r->slow[0])
            sift_down(r, ns);
        return;
    }
    int at = r->count++;
    for (; at > 0 && ns < r->slow[(at - 1) / 2]; at = (at - 1) / 2)
        r->slow[at] = r->slow[(at - 1) / 2];
    r->slow[at] = ns;
}

/* Is it one of the slowest? Of several as slow as the least, the first. */
static bool rank_keeps(struct rank *r, int64_t ns)
{
    if (r->count < KEEP_SLOWEST || ns != r->slow[0])
        return r->count < KEEP_SLOWEST || ns > r->slow[0];
    if (r->ties < 0)
        for (int i = r->ties = 0; i < r->count; i++)
            r->ties += r->slow[i] == ns;
    return r->ties > 0 && r->ties-- > 0;
}

/* ---- looking ------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static sqlite3_stmt *spans_behind(struct thin *thin, const char *name)
{
    return statements_begin(thin->db, sql_sqlite_retention, name, "iiii",
                            thin->trace.trace, thin->at.start, thin->at.session,
                            thin->at.ref);
}

/* The next span; false at the end, or when the time of a step is over. */
static bool next_span(struct thin *thin, sqlite3_stmt *s, int *looked,
                      int64_t until_ns, int *code)
{
    if (*looked % LOOK_EACH == LOOK_EACH - 1 && now_ns() > until_ns)
        return false;
    *code = sqlite3_step(s);
    if (*code != SQLITE_ROW)
        return false;
    ++*looked;
    thin->at =
        (struct place){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                       sqlite3_column_int64(s, 2)};
    return true;
}

static int rank_step(struct thin *thin, bool *at_end)
{
    sqlite3_stmt *s = spans_behind(thin, "thin_rank");
    int code = s ? SQLITE_OK : sqlite3_errcode(thin->db), looked = 0;
    int64_t until = now_ns() + LOOK_NS;
    while (s && next_span(thin, s, &looked, until, &code)) {
        struct rank *r =
            rank_of(thin, thin->at.session, sqlite3_column_int64(s, 3));
        if (!r)
            break;
        if (sqlite3_column_type(s, 4) != SQLITE_NULL)
            rank_add(r, sqlite3_column_int64(s, 4));
    }
    sqlite3_finalize(s);
    *at_end = code == SQLITE_DONE;
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- taking out ---------------------------------------------------------- */

static void keep_caller(struct thin *thin, int64_t session, int64_t ref)
{
    struct caller *c = ref > 0 ? malloc(sizeof *c) : NULL;
    if (ref <= 0)
        return;
    if (c)
        *c = (struct caller){session, ref};
    struct caller **have = c ? tsearch(c, &thin->callers, compare_pairs) : NULL;
    thin->is_out_of_memory |= !have;
    if (!have || *have != c)
        free(c);
}

/* Was it called for by one that stays? Then nobody asks again. */
static bool is_caller(struct thin *thin)
{
    struct caller key = {thin->at.session, thin->at.ref};
    struct caller **have = tfind(&key, &thin->callers, compare_pairs);
    if (!have)
        return false;
    struct caller *c = *have;
    tdelete(&key, &thin->callers, compare_pairs);
    free(c);
    return true;
}

static bool stays(struct thin *thin, sqlite3_stmt *s)
{
    bool is_good = sqlite3_column_int(s, 6), is_called = is_caller(thin);
    struct rank *r =
        rank_of(thin, thin->at.session, sqlite3_column_int64(s, 3));
    bool is_slow = !r || rank_keeps(r, sqlite3_column_int64(s, 4));
    if (is_good && !is_slow && !is_called)
        return false;
    keep_caller(thin, thin->at.session, sqlite3_column_int64(s, 5));
    return true;
}

/* Those that go, into temp.chunk. */
static int chunk_fill(struct thin *thin, int64_t most, int64_t *spans,
                      bool *at_end)
{
    sqlite3_stmt *add =
        statements_begin(thin->db, sql_sqlite_retention, "chunk_add", "");
    sqlite3_stmt *s = add ? spans_behind(thin, "thin_look") : NULL;
    int code = s ? SQLITE_ROW : sqlite3_errcode(thin->db), looked = 0;
    int64_t until = now_ns() + LOOK_NS;
    *spans = 0;
    while (s && *spans < most && next_span(thin, s, &looked, until, &code)) {
        if (stays(thin, s))
            continue;
        sqlite3_bind_int64(add, 1, thin->at.session);
        sqlite3_bind_int64(add, 2, thin->at.ref);
        if (sqlite3_step(add) != SQLITE_DONE) {
            code = sqlite3_errcode(thin->db);
            break;
        }
        sqlite3_reset(add);
        ++*spans;
    }
    sqlite3_finalize(s);
    sqlite3_finalize(add);
    *at_end = code == SQLITE_DONE;
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int run(struct thin *thin, const char *name)
{
    return statements_run(thin->db, sql_sqlite_retention, name, "");
}

static int run_for_trace(struct thin *thin, const char *name)
{
    return statements_run(thin->db, sql_sqlite_retention, name, "i",
                          thin->trace.trace);
}

static int is_dirty(struct thin *thin, int *found)
{
    int64_t n;
    return statements_get(thin->db, sql_sqlite_retention, "is_dirty", &n, 1,
                          found, "i", thin->trace.trace);
}

/* The chunk becomes calls without detail. That is no change that sinks should
 * hear of: they have the detail. */
static int chunk_take(struct thin *thin, bool was_dirty)
{
    int code = run_for_trace(thin, "thin_rollups");
    if (code == SQLITE_OK)
        code = run(thin, "thin_losses");
    if (code == SQLITE_OK)
        code = remove_chunk(thin->db);
    return code == SQLITE_OK && !was_dirty ? run_for_trace(thin, "drop_dirty")
                                           : code;
}

static int tombstone(struct thin *thin, int64_t now_unix_ns)
{
    return statements_run(thin->db, sql_sqlite_retention, "tombstone", "biti",
                          thin->trace.id, sizeof thin->trace.id, now_unix_ns,
                          "outcome", thin->spans);
}

/* In one transaction: what sinks do not have is looked at anew, since it may
 * have become more. */
static int take_step(struct thin *thin, int64_t now_unix_ns, int64_t most,
                     int64_t *spans, bool *at_end)
{
    int was_dirty = 0;
    *spans = 0;
    int code = run(thin, "begin");
    if (code == SQLITE_OK)
        code = is_dirty(thin, &was_dirty);
    *at_end = was_dirty && !thin->is_running; /* another time */
    if (code != SQLITE_OK || *at_end)
        return remove_end(thin->db, code);
    code = run(thin, "unsent_clear");
    if (code == SQLITE_OK)
        code = run_for_trace(thin, "unsent_fill");
    if (code == SQLITE_OK)
        code = run(thin, "chunk_clear");
    if (code == SQLITE_OK)
        code = chunk_fill(thin, most, spans, at_end);
    if (code == SQLITE_OK && thin->is_out_of_memory)
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK && *spans > 0)
        code = chunk_take(thin, was_dirty);
    thin->spans += *spans;
    if (code == SQLITE_OK && *at_end && !thin->is_running)
        code = tombstone(thin, now_unix_ns);
    return remove_end(thin->db, code);
}

int thin_step(struct thin *thin, int64_t now_unix_ns, int64_t most,
              struct retention_done *done, bool *more)
{
    bool at_end = false;
    int64_t spans = 0;
    int code = SQLITE_OK;
    *more = true;
    if (thin->is_taking) {
        code = take_step(thin, now_unix_ns, most, &spans, &at_end);
        *more = code == SQLITE_OK && !at_end;
    } else {
        code = rank_step(thin, &at_end);
    }
    if (thin->is_out_of_memory)
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK && at_end && !thin->is_taking) {
        thin->is_taking = true;
        thin->at = newest;
    }
    if (code == SQLITE_OK) {
        done->thinned_spans += spans;
        done->thinned_traces +=
            !*more && (thin->spans > 0 || !thin->is_running);
    }
    return code;
}
