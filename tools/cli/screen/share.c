/* SPDX-License-Identifier: Apache-2.0 */
/* See share.h. */
#include "tools/cli/screen/share.h"
#include "lane/format/layout.h"
#include "tools/common/config.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUDGET_MB = 64, /* if nobody said another one */
    BUDGET_MOST_MB = LANE_UNIT_MAX / LANE_UNITS_A_MIB,
};

int64_t share_loss(const struct query_detail *d, const char *kind)
{
    for (size_t i = 0; i < d->loss_count; i++)
        if (d->losses[i].kind && strcmp(d->losses[i].kind, kind) == 0)
            return d->losses[i].count;
    return 0;
}

int64_t share_calls(const struct query_trace *t, const struct query_detail *d,
                    int64_t stored)
{
    return stored + t->dropped_calls + share_loss(d, "lost_calls");
}

bool share_is_whole(const struct query_trace *t, const struct query_detail *d,
                    int64_t stored)
{
    static const char *const kinds[] = {
        "lost_captures", "lost_threads",   "lost_store",  "lost_contexts",
        "lost_sites",    "lost_processes", "over_deep",   "untimed",
        "no_frame",      "loose",          "hook_faults", "corrupt_items",
        "late_ends",     "lost_switches",
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (share_loss(d, kinds[i]) > 0)
            return false;
    return share_calls(t, d, stored) == stored;
}

/* The budget that a run said it has (preload/start/session_start.c). */
static long budget_of(const struct query_detail *d)
{
    static const char word[] = "lets this session take ";
    for (size_t i = 0; i < d->session_count; i++) {
        const char *note = d->sessions[i].note;
        const char *said = note ? strstr(note, word) : NULL;
        long mb = said ? strtol(said + sizeof word - 1, NULL, 10) : 0;
        if (mb > 0)
            return mb;
    }
    return BUDGET_MB;
}

/* What it had, four times. */
static void put_larger_spool(struct buf *text)
{
    int64_t bytes = 0;
    const char *said = config_get(CONFIG_SPOOL_SIZE);
    if (!said || config_parse_size(said, &bytes) != 0 || bytes < 1000000)
        bytes = 1000000;
    int64_t mb = bytes / 1000000 * 4;
    buf_printf(text, "the spool was full: set HANDSPAN_SPOOL_SIZE=%lld%s.",
               (long long)(mb % 1000 ? mb : mb / 1000),
               mb % 1000 ? "MB" : "GB");
}

/* One cause, what cures it; as the sidecar found it (sidecar's counters.c). */
static void put_cure(struct buf *text, const struct query_detail *d,
                     long budget)
{
    if (share_loss(d, "no_wait") > 0)
        buf_text(text, "HANDSPAN_WAIT_MS=0 lets no call wait until the spool "
                       "made some: leave it unset.");
    else if (share_loss(d, "spool_off") > 0)
        buf_text(text, "there is no spool: set HANDSPAN_SPOOL_SIZE=2GB.");
    else if (share_loss(d, "spool_unwritable") > 0)
        buf_text(text, "the spool could not be written: 'handspan status' and "
                       "the sidecar's log say why.");
    else if (share_loss(d, "spool_no_room") > 0)
        buf_text(text,
                 "the spool leaves room on the store's file system, which is "
                 "nearly full: free some there, or set "
                 "HANDSPAN_SPOOL_FREE=64MiB to leave no more.");
    else if (share_loss(d, "spool_full") > 0)
        put_larger_spool(text);
    else if (budget < BUDGET_MOST_MB)
        buf_printf(text, "set HANDSPAN_BUDGET_MB=%ld.",
                   budget * 4 < BUDGET_MOST_MB ? budget * 4 : BUDGET_MOST_MB);
    else
        buf_text(text, "the sidecar was too slow for them.");
}

/* Which value took the room. */
static void put_largest(struct buf *text, const struct query_detail *d)
{
    for (size_t i = 0; i < d->text_count; i++) {
        const struct query_text_share *t = &d->texts[i];
        if (!t->name || !t->key)
            continue;
        buf_printf(text, " '%s' of %s has %.1f of the %.1f MB of text that ",
                   t->key, t->name, (double)t->bytes / 1e6,
                   (double)t->all_bytes / 1e6);
        if (t->calls >= QUERY_TEXT_CALLS)
            buf_printf(text, "the first %s calls hold",
                       format_count(t->calls).text);
        else
            buf_text(text, "is stored");
        buf_text(text, ": cap(BYTES) keeps less of it.");
    }
}

static void put_no_room(struct buf *text, const struct query_detail *d)
{
    long budget = budget_of(d);
    int64_t records = share_loss(d, "lost_records");
    int64_t values = share_loss(d, "lost_captures");
    if (records + values == 0)
        return;
    buf_printf(text, " There was no room for ");
    if (records)
        buf_printf(text, "%s record%s", format_count(records).text,
                   records == 1 ? "" : "s");
    if (values)
        buf_printf(text, "%s%s input%s or output%s", records ? " and " : "",
                   format_count(values).text, values == 1 ? "" : "s",
                   values == 1 ? "" : "s");
    buf_printf(text, " in %ld MiB of shared memory: ", budget);
    put_cure(text, d, budget);
    put_largest(text, d);
}

void share_put_why(struct buf *text, const struct query_detail *d)
{
    const struct {
        const char *kind, *text;
    } whys[] = {
        {"over_deep", "begun below 256 open calls of their thread: counted and "
                      "timed, shown below the 256th, without input"},
        {"untimed", "counted without a time, which is their caller's (the "
                    "stack was nearly full, or they never returned)"},
        {"late_ends", "left by a jump that nobody saw (a longjmp of the "
                      "program's own): they last until the next handler came, "
                      "and no rule was judged"},
        {"thinned_spans", "whose detail was removed by age or size: set "
                          "HANDSPAN_THIN_AGE and HANDSPAN_KEEP_SIZE"},
    };
    put_no_room(text, d);
    for (size_t i = 0; i < sizeof whys / sizeof *whys; i++) {
        int64_t count = share_loss(d, whys[i].kind);
        if (count > 0)
            buf_printf(text, " %s call%s %s.", format_count(count).text,
                       count == 1 ? "" : "s", whys[i].text);
    }
    if (share_loss(d, "lost_threads") > 0)
        buf_printf(text,
                   " %s thread%s had no place (1,024 at once in a session).",
                   format_count(share_loss(d, "lost_threads")).text,
                   share_loss(d, "lost_threads") == 1 ? "" : "s");
    if (share_loss(d, "loose") > 0)
        buf_printf(text,
                   " Figures with ~ are estimates: of %s call%s the "
                   "caller is not known.",
                   format_count(share_loss(d, "loose")).text,
                   share_loss(d, "loose") == 1 ? "" : "s");
}

void share_print(const struct term *term, const struct query_trace *t,
                 const struct query_detail *d, int64_t stored)
{
    int64_t all = share_calls(t, d, stored);
    struct buf text;
    if (share_is_whole(t, d, stored))
        return;
    buf_init(&text, 16384);
    buf_printf(&text, "Detail of %s of %s calls (%s).",
               format_count(stored).text, format_count(all).text,
               format_share(stored, all).text);
    share_put_why(&text, d);
    term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
}

/* ---- of many ------------------------------------------------------------ */

void share_sum_add(struct share_sum *sum, const struct query_trace *t)
{
    if (t->dropped_calls <= 0)
        return;
    sum->traces++;
    if (t->dropped_calls <= sum->worst.dropped_calls)
        return;
    sum->worst = (struct query_trace){.trace = t->trace,
                                      .calls = t->calls,
                                      .dropped_calls = t->dropped_calls};
    memcpy(sum->worst.hex, t->hex, sizeof sum->worst.hex);
}

static int add_trace(void *context, struct query_trace *t)
{
    share_sum_add(context, t);
    query_trace_free(t);
    return 0;
}

int share_sum_find(struct query_db *db, const struct query_filter *filter,
                   struct share_sum *out)
{
    struct query_filter f = *filter;
    *out = (struct share_sum){0};
    f.is_short = true;
    f.limit = 0;
    return query_traces(db, &f, add_trace, out);
}

/* What has detail, of what, and why not all; text empty: all has. */
static int64_t load_why(struct query_db *db, const struct share_sum *sum,
                        int64_t *calls, struct buf *why)
{
    const struct query_trace *t = &sum->worst;
    struct query_detail d = {0};
    int64_t stored = t->calls - t->dropped_calls;
    *calls = t->calls;
    if (query_detail_load(db, t->trace, &d) == 0) {
        *calls = share_calls(t, &d, stored);
        share_put_why(why, &d);
    }
    query_detail_free(&d);
    return stored;
}

void share_sum_print(const struct term *term, struct query_db *db,
                     const struct share_sum *sum)
{
    struct buf why, text;
    int64_t calls, stored;
    if (sum->traces == 0)
        return;
    buf_init(&why, 16384);
    buf_init(&text, 16384);
    stored = load_why(db, sum, &calls, &why);
    buf_printf(&text, "Detail of %s of %s calls (%s) in %.8s",
               format_count(stored).text, format_count(calls).text,
               format_share(stored, calls).text, sum->worst.hex);
    if (sum->traces > 1)
        buf_printf(&text, ", the least of %s traces that lack some",
                   format_count(sum->traces).text);
    buf_printf(&text, ".%s", buf_get(&why));
    term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
    buf_free(&text);
    buf_free(&why);
}

struct cJSON *share_sum_json(struct query_db *db, const struct share_sum *sum)
{
    struct cJSON *o;
    struct buf why;
    int64_t calls, stored;
    if (sum->traces == 0)
        return NULL;
    buf_init(&why, 16384);
    stored = load_why(db, sum, &calls, &why);
    o = json_object();
    json_text(o, "trace_id", sum->worst.hex);
    json_int(o, "spans", stored);
    json_int(o, "calls", calls);
    json_text(o, "why", buf_get(&why) + (*buf_get(&why) == ' '));
    buf_free(&why);
    return o;
}

int share_print_schema(FILE *out, struct query_db *db,
                       const struct share_sum *sum)
{
    struct cJSON *o = json_object(), *missing = share_sum_json(db, sum);
    json_int(o, "schema", 1);
    if (missing)
        json_object_add(o, "missing", missing);
    return json_print(out, o);
}
