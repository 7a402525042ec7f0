/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is lost silently: see completeness.h. */
#include "tools/cli/check/completeness.h"
#include "bind/reason.h"
#include "tools/cli/check/seen.h"
#include "tools/cli/screen/share.h"
#include "tools/cli/screen/slow.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include <stdlib.h>
#include <string.h>

const char *completeness_loss_text(const char *kind)
{
    static const struct {
        const char *kind, *text;
    } words[] = {
        {"lost_records", "records without room (counted)"},
        {"lost_captures", "inputs or outputs without room"},
        {"lost_threads", "threads without lane"},
        {"lost_store", "calls with an earlier store (deleted, or an older "
                       "copy was put back)"},
        {"lost_calls", "calls of which only the number is known"},
        {"lost_contexts", "roots without trace of their own"},
        {"lost_sites", "handlers without room in the table"},
        {"lost_strings", "names without room"},
        {"lost_processes", "processes without room in the table"},
        {"over_deep", "calls below 256 open ones of their thread"},
        {"untimed", "calls without a time of their own"},
        {"loose", "calls whose caller is not known"},
        {"late_ends", "calls that were left unseen (a longjmp of the program's "
                      "own?)"},
        {"lost_switches", "times that recording was switched off or on, of "
                          "which only the number is known"},
        {"no_frame", "calls out of code without unwind tables (made at run "
                     "time?): counted, without times"},
        {"unmatched", "begins without end or ends without begin"},
        {"hook_faults", "faults of handspan's own hooks"},
        {"corrupt_items", "unreadable records"},
        {"carriers_dropped", "carried items without room"},
        {"carriers_expired", "items adopted too late"},
        {"carriers_unmatched", "items adopted that nobody carried"},
        {"carriers_late", "items adopted before they were carried"},
        {"links_dropped", "links of batches without room"},
        {"context_frames", "queue times, links or marks without room"},
        {"fiber_stacks", "stacks of fibers without room"},
        {"spool_full", "times that the spool was full (spool_size)"},
        {"spool_no_room", "times that the spool had to leave room on its file "
                          "system (spool_free)"},
        {"spool_unwritable", "times that the spool could not be written"},
        {"spool_off", "sessions without a spool (spool_size)"},
        {"no_wait", "sessions whose calls wait for no room "
                    "(HANDSPAN_WAIT_MS=0)"},
        {"thinned_spans", "calls whose detail retention removed"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(kind, words[i].kind) == 0)
            return words[i].text;
    return kind;
}

/* What share_put_why() tells. */
static bool is_told(const char *kind)
{
    static const char *const told[] = {
        "lost_records", "lost_captures", "lost_threads",     "over_deep",
        "untimed",      "loose",         "thinned_spans",    "late_ends",
        "spool_full",   "spool_no_room", "spool_unwritable", "spool_off",
        "no_wait"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (strcmp(kind, told[i]) == 0)
            return true;
    return false;
}

static void put_losses(struct buf *text, const struct query_detail *d)
{
    int shown = 0;
    for (size_t i = 0; i < d->loss_count; i++) {
        if (!d->losses[i].kind || d->losses[i].count <= 0 ||
            is_told(d->losses[i].kind))
            continue;
        buf_printf(text, "%s%s %s", shown++ ? ", " : " Lost: ",
                   format_count(d->losses[i].count).text,
                   completeness_loss_text(d->losses[i].kind));
    }
    if (shown)
        buf_char(text, '.');
}

/* In a few words, why not all of its calls are seen. */
static void put_part(struct buf *text, const struct seen *s)
{
    const char *unseen = strstr(buf_get(&s->remark), "not seen: ");
    buf_text(text, seen_name(s));
    if (unseen)
        buf_printf(text, " (%.*s)", (int)strcspn(unseen + 10, ",;"),
                   unseen + 10);
    else if (strstr(buf_get(&s->remark), bind_too_many))
        buf_printf(text, " (%zu functions, more match)", s->bound);
    else if (s->bound < s->functions)
        buf_printf(text, " (%zu of %zu functions)", s->bound, s->functions);
    else
        buf_text(text, " (calls through the PLT)");
}

/* The declarations of one status, after `word`; returns how many. */
static int put_seen(struct buf *text, const struct seen_list *list,
                    enum binding_status status, const char *word)
{
    enum {
        SHOWN_MAX = 6
    };
    int count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct seen *s = &list->at[i];
        if (s->status != status || ++count > SHOWN_MAX)
            continue;
        buf_text(text, count > 1 ? ", " : word);
        if (status == BINDING_PART)
            put_part(text, s);
        else
            buf_text(text, seen_name(s));
        if (strstr(buf_get(&s->remark), "every call of it is inlined"))
            buf_text(text, " (only inlined copies)");
    }
    if (count > SHOWN_MAX)
        buf_printf(text, " and %d more", count - SHOWN_MAX);
    if (count)
        buf_char(text, '.');
    return count;
}

void completeness_notes(const struct term *term, const struct query_detail *d)
{
    for (size_t i = 0; i < d->session_count; i++) {
        char *copy = d->sessions[i].note ? strdup(d->sessions[i].note) : NULL;
        char *rest = NULL;
        for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line;
             line = strtok_r(NULL, "\n", &rest)) {
            struct buf text;
            buf_init(&text, 16384);
            buf_printf(&text, "Note: %s", line);
            term_wrap(term, TERM_DIM, buf_get(&text), 2);
            buf_free(&text);
        }
        free(copy);
    }
}

/* What is missing of what the manifest asked for; the end of the first line
 * and the second. */
static void print_seen(const struct term *term, const struct query_trace *t,
                       const struct query_detail *d, struct buf *text,
                       enum term_style style)
{
    struct seen_list list;
    int told = 0;
    if (seen_load(d, &list) == 0) {
        told = put_seen(text, &list, BINDING_PART, " Partly seen: ");
        term_wrap(term, style, buf_get(text), 2);
        buf_reset(text);
        told += put_seen(text, &list, BINDING_NONE, "Not bound: ");
        if (told)
            buf_printf(text, "%sWhy: handspan check --trace %.8s",
                       text->len_bytes ? " " : "", t->hex);
        seen_free(&list);
    }
    if (text->len_bytes)
        term_wrap(term, TERM_YELLOW, buf_get(text), 2);
}

/* Calls of that time are missing. */
static void print_pauses(const struct term *term, const struct query_trace *t,
                         const struct query_detail *d)
{
    enum {
        SHOWN_MAX = 3
    };
    int64_t end = t->duration_ns < 0 ? format_now_ns()
                                     : t->start_unix_ns + t->duration_ns;
    for (size_t i = 0; i < d->pause_count && i < SHOWN_MAX; i++) {
        const struct query_pause *p = &d->pauses[i];
        int64_t until = p->until_unix_ns < 0 || p->until_unix_ns > end
                            ? end
                            : p->until_unix_ns;
        int64_t from = p->from_unix_ns > t->start_unix_ns ? p->from_unix_ns
                                                          : t->start_unix_ns;
        struct buf text;
        buf_init(&text, 1024);
        buf_printf(&text, "Recording was off ");
        if (p->pid >= 0)
            buf_printf(&text, "in process %lld ", (long long)p->pid);
        buf_printf(
            &text, "for %s",
            format_duration(until > from ? until - from : 0, term->utf8).text);
        buf_printf(&text,
                   ", from %s after the start on: calls of that time "
                   "are missing.",
                   format_duration(from - t->start_unix_ns, term->utf8).text);
        term_wrap(term, TERM_YELLOW, buf_get(&text), 2);
        buf_free(&text);
    }
}

/* Calls that nobody saw or counted: the program took a patch out. */
static bool is_any_changed(const struct query_detail *d)
{
    struct seen_list list;
    bool found = false;
    if (seen_load(d, &list) != 0)
        return false;
    for (size_t i = 0; i < list.count; i++)
        found |= strstr(buf_get(&list.at[i].remark), "its entry was changed") !=
                 NULL;
    seen_free(&list);
    return found;
}

void completeness_print(const struct term *term, const struct query_trace *t,
                        const struct query_detail *d, int64_t stored)
{
    int64_t all = share_calls(t, d, stored);
    bool is_whole = share_is_whole(t, d, stored) && d->pause_count == 0 &&
                    !is_any_changed(d);
    bool runs = t->status && strcmp(t->status, "open") == 0;
    struct buf text;
    buf_init(&text, 16384);
    buf_printf(&text, "%s: %s of %s span%s.",
               runs       ? "Still running"
               : is_whole ? "Complete"
                          : "Incomplete",
               format_count(stored).text, format_count(all).text,
               all == 1 ? "" : "s");
    if (all > stored && t->dropped_calls > 0)
        buf_printf(&text, " %s without detail (%s have it).",
                   format_count(t->dropped_calls).text,
                   format_share(stored, all).text);
    share_put_why(&text, d);
    put_losses(&text, d);
    print_seen(term, t, d, &text, is_whole ? TERM_PLAIN : TERM_YELLOW);
    buf_free(&text);
    print_pauses(term, t, d);
    slow_print(term, d);
    completeness_notes(term, d);
}

void completeness_json(struct cJSON *to, const struct query_trace *t,
                       const struct query_detail *d, int64_t stored)
{
    struct cJSON *losses = json_object(), *unbound = json_array(),
                 *part = json_array();
    struct seen_list list;
    json_int(to, "spans", stored);
    json_int(to, "calls", share_calls(t, d, stored));
    json_int(to, "dropped_calls", t->dropped_calls);
    json_int(to, "pauses", (int64_t)d->pause_count);
    for (size_t i = 0; i < d->loss_count; i++)
        json_int(losses, d->losses[i].kind ? d->losses[i].kind : "?",
                 d->losses[i].count);
    json_object_add(to, "losses", losses);
    slow_overdue_json(to, d);
    if (seen_load(d, &list) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            const struct seen *one = &list.at[i];
            if (one->status != BINDING_NONE && one->status != BINDING_PART)
                continue;
            struct cJSON *o = json_object();
            json_text(o, "name", seen_name(one));
            json_text(o, "reason", buf_get(&one->remark));
            json_append(one->status == BINDING_NONE ? unbound : part, o);
        }
        seen_free(&list);
    }
    json_object_add(to, "partly_seen", part);
    json_object_add(to, "not_bound", unbound);
}
