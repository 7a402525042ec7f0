/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See overdue.h. A row of `overdue` is written at the first look that finds the
 * span late, and never changed. The stack is copied, unwound and forgotten as
 * that of an error. What a trampoline keeps of a call is read where the layout
 * says (LANE_KEPT_*) and believed only if it names the span.
 */
#define _GNU_SOURCE
#include "tools/sidecar/drain/overdue.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lane/format/error_frames.h"
#include "lane/format/ids.h"
#include "tools/common/fingerprint.h"
#include "tools/sidecar/process/look.h"
#include "tools/sidecar/session/names.h"
#include "lane/format/assert.h"

enum {
    LOOKS_MAX = 8,        /* at threads, in one batch; the others come later */
    ENTRIES_MAX = 512,    /* words that may be the address of an entry of Z */
    USER_SPACE_BITS = 47, /* addresses of a process */
    RIP = 16,
    RBP = 6,
    RSP = 7,
};

/* A payload as a STACK frame has it. */
struct copy {
    struct lane_frame_stack head;
    struct lane_stack_call call[LANE_STACK_CALLS_MAX];
    uint8_t bytes[LANE_STACK_BYTES_MAX];
};

bool overdue_is(const struct session *s, const struct lane_open *open,
                uint64_t now_ticks)
{
    uint32_t site = LANE_SITE_OF(open->site_kind);
    int64_t limit = site < LANE_SITE_MAX ? s->site[site].overdue_ns : 0;
    return limit > 0 && now_ticks > open->t0_ticks &&
           clock_duration_ns(&s->clock, open->t0_ticks, now_ticks) > limit;
}

/* ---- calls that trampolines carry ---------------------------------------- */

static bool word_at(const struct look *l, uint64_t address, uint64_t *word)
{
    lane_assert(l->stack_bytes <= sizeof l->bytes);
    uint64_t at = address - l->first_address;
    if (at >= l->stack_bytes || l->stack_bytes - at < sizeof *word)
        return false;
    memcpy(word, l->bytes + at, sizeof *word);
    return true;
}

static bool take_frame_call(const struct look *l, const struct lane_open *open,
                            struct lane_stack_call *call)
{
    uint64_t a = open->sp, kept = a - LANE_KEPT_BELOW, word;
    bool is_copy =
        word_at(l, a - LANE_KEPT_MARK, &word) && word == (a ^ LANE_KEPT_MARKED);
    call->slot = a - (is_copy ? LANE_KEPT_COPY : LANE_KEPT_STRIDE);
    call->sp = a + 8;
    return word_at(l, kept + LANE_KEPT_SP, &word) && word == a &&
           word_at(l, kept + LANE_KEPT_SPAN, &word) && word == open->span &&
           word_at(l, a - 8, &call->rbp) && word_at(l, a, &call->ip);
}

static bool take_entry(int32_t pid, uint64_t address,
                       const struct lane_open *open,
                       struct lane_stack_call *call)
{
    lane_assert(pid > 0);
    uint8_t kept[LANE_KEPT_BYTES];
    uint64_t sp, span;
    if (address % 8 != 0 || address >> USER_SPACE_BITS || address < 4096 ||
        !look_read(pid, address, kept, sizeof kept))
        return false;
    memcpy(&sp, kept + LANE_KEPT_SP, sizeof sp);
    memcpy(&span, kept + LANE_KEPT_SPAN, sizeof span);
    if (sp != open->sp || span != open->span)
        return false;
    memcpy(&call->rbp, kept + LANE_KEPT_RBP, sizeof call->rbp);
    memcpy(&call->ip, kept + LANE_KEPT_RETURN, sizeof call->ip);
    call->slot = sp;
    call->sp = sp + 8;
    return true;
}

/* The handler has its entry's address in rbp: there it still is, or somebody
 * below it saved it: on the stack, or in the entry of the next call (`below`,
 * NULL: there is none). */
static bool take_zero_call(int32_t pid, const struct look *l,
                           const struct lane_open *open,
                           const struct lane_stack_call *below,
                           struct lane_stack_call *call)
{
    int tried = 0;
    if ((l->known >> RBP & 1) && take_entry(pid, l->registers[RBP], open, call))
        return true;
    if (below && take_entry(pid, below->rbp, open, call))
        return true;
    for (uint64_t at = open->sp - 8; tried < ENTRIES_MAX; at -= 8) {
        uint64_t word;
        if (!word_at(l, at, &word))
            return false;
        /* entries are no part of the stack */
        if (word - l->first_address < l->stack_bytes || word % 8 != 0 ||
            word < 4096)
            continue;
        tried++;
        if (take_entry(pid, word, open, call))
            return true;
    }
    return false;
}

static void take_calls(const struct session *s, int32_t pid,
                       const struct look *l, const struct lane_open *open,
                       int count, struct copy *copy)
{
    lane_assert(count >= 0 && copy != NULL);
    uint16_t *n = &copy->head.call_count;
    for (int i = count; i-- > 0 && *n < LANE_STACK_CALLS_MAX;) {
        struct lane_stack_call *call = &copy->call[*n];
        uint32_t site = LANE_SITE_OF(open[i].site_kind);
        if (open[i].state != LANE_OPEN_CALL || site >= LANE_SITE_MAX ||
            !s->site[site].is_known)
            continue;
        *call = (struct lane_stack_call){.span = open[i].span, .site = site};
        if (take_frame_call(l, &open[i], call) ||
            take_zero_call(pid, l, &open[i], *n ? call - 1 : NULL, call))
            (*n)++;
    }
    /* a tail call with a frame of its own returns to the call below it */
    for (uint32_t i = *n; i-- > 0;)
        for (uint32_t j = i + 1; j < *n; j++)
            if (copy->call[j].slot == copy->call[i].sp - 8) {
                copy->call[i].ip = copy->call[j].ip;
                copy->call[i].sp = copy->call[j].sp;
                copy->call[i].rbp = copy->call[j].rbp;
            }
}

/* The copy as a payload; its names are stored under the hash. 0: none. */
static int name_copy(struct session *s, uint32_t process, struct look *l,
                     struct copy *copy, uint64_t *hash)
{
    lane_assert(l->stack_bytes % 8 == 0 &&
                copy->head.call_count <= LANE_STACK_CALLS_MAX);
    struct lane_frame_stack *head = &copy->head;
    uint64_t mix = lane_mix64(l->registers[RIP] ^ (uint64_t)process << 48);
    for (uint32_t i = 0; i < l->stack_bytes; i += 8) {
        uint64_t word;
        memcpy(&word, l->bytes + i, sizeof word);
        mix = (mix ^ word) * 0x9e3779b97f4a7c15ULL;
    }
    head->reason = LANE_STACK_OVERDUE;
    head->flags = l->is_truncated ? LANE_STACK_TRUNCATED : 0;
    head->hash = lane_mix64(mix) | 1;
    head->first_address = l->first_address;
    head->stack_bytes = l->stack_bytes;
    head->known = l->known;
    memcpy(head->registers, l->registers, sizeof head->registers);
    uint32_t calls = head->call_count * (uint32_t)sizeof *copy->call;
    uint8_t *payload = (uint8_t *)copy;
    memcpy(payload + sizeof *head + calls, l->bytes, l->stack_bytes);
    *hash = head->hash;
    return names_now(s, process, payload,
                     (uint32_t)sizeof *head + calls + l->stack_bytes);
}

/* ---- what is said of it -------------------------------------------------- */

static void add_text(cJSON *o, const char *key, const char *text)
{
    if (text && text[0])
        cJSON_AddStringToObject(o, key, text);
    else
        cJSON_AddNullToObject(o, key);
}

static void limit_text(int64_t ns, char *out, size_t cap_bytes)
{
    lane_assert(ns > 0);
    if (ns % 1000000000 == 0)
        snprintf(out, cap_bytes, "overdue(\"%llds\")",
                 (long long)(ns / 1000000000));
    else
        snprintf(out, cap_bytes, "overdue(\"%lldms\")",
                 (long long)(ns / 1000000));
}

/* As an error's, with all its keys. `l` NULL: no thread is in it. */
static char *detail_make(const struct look *l, const char *rule,
                         const char *frames, const char *ended,
                         const char *fingerprint)
{
    char place[128] = "no thread is in it: it was begun, and not ended yet";
    char number[32];
    cJSON *o = cJSON_CreateObject();
    cJSON *stack = frames ? cJSON_Parse(frames) : NULL;
    if (l)
        look_place_text(l, place, sizeof place);
    cJSON_AddStringToObject(o, "kind", "overdue");
    cJSON_AddNullToObject(o, "type");
    cJSON_AddStringToObject(o, "rule", rule);
    cJSON_AddNullToObject(o, "return_value");
    cJSON_AddNullToObject(o, "errno");
    add_text(o, "message", place);
    cJSON_AddNullToObject(o, "cause");
    cJSON_AddArrayToObject(o, "origin");
    cJSON_AddItemToObject(o, "stack", stack ? stack : cJSON_CreateArray());
    cJSON_AddNullToObject(o, "stderr");
    cJSON_AddStringToObject(o, "fingerprint", fingerprint);
    add_text(o, "stack_ended", ended);
    add_text(o, "syscall", l ? look_syscall_name(l->syscall) : NULL);
    snprintf(number, sizeof number, "%d", l ? l->syscall : LOOK_UNKNOWN);
    if (l && l->syscall >= 0)
        cJSON_AddRawToObject(o, "syscall_number", number);
    else
        cJSON_AddNullToObject(o, "syscall_number");
    add_text(o, "kernel_function", l ? l->kernel : NULL);
    cJSON_AddBoolToObject(o, "stopped", l && l->was_stopped);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

static int64_t now_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The row and its group. */
static int store(struct session *s, uint64_t ref, uint32_t site,
                 const struct look *l, const char *frames, const char *ended)
{
    lane_assert(site < LANE_SITE_MAX);
    char rule[64], fingerprint[FINGERPRINT_BYTES];
    const struct session_site *of = &s->site[site];
    int64_t at = now_unix_ns();
    fingerprint_of_kind("overdue", of->name, fingerprint);
    limit_text(of->overdue_ns, rule, sizeof rule);
    char *detail = detail_make(l, rule, frames, ended, fingerprint);
    if (!detail)
        return -ENOMEM;
    int rc = store_run(s->store, STORE_OVERDUE_ADD, "iiiitt", s->id,
                       (int64_t)ref, at, of->overdue_ns, fingerprint, detail);
    free(detail);
    if (rc > 0)
        rc =
            store_run(s->store, STORE_GROUP_ADD, "tttttiii", fingerprint,
                      of->name, "overdue", NULL, rule, at, s->id, (int64_t)ref);
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

/* ---- looking ------------------------------------------------------------- */

static bool is_noted(struct session *s, uint64_t ref)
{
    bool found = store_start(s->store, STORE_OVERDUE_FIND, "ii", s->id,
                             (int64_t)ref) > 0;
    while (found && store_next(s->store, STORE_OVERDUE_FIND) > 0)
        ;
    return found;
}

static bool is_still_open(struct session *s, uint32_t lane, uint64_t ref)
{
    lane_assert(lane < LANE_MAX);
    static struct lane_open open[LANE_OPEN_MAX];
    uint64_t owner;
    int n =
        lane_reader_open_spans(&s->reader, lane, open, LANE_OPEN_MAX, &owner);
    for (int i = 0; i < n; i++)
        if (open[i].span == ref)
            return true;
    return false;
}

/* Our number of the thread of a lane; 0: it is not there, or not to be seen. */
static int32_t thread_of(const struct session *s, const struct lane_head *head,
                         int32_t *pid)
{
    const struct session_process *p = session_process_of(s, head->process);
    if (!p || head->tid == 0 || !p->is_known || p->is_gone ||
        p->death.state != DEATH_ALIVE)
        return 0;
    /* the session file says which process: it must be one that writes it */
    if (!death_maps(&p->death, s->name))
        return 0;
    *pid = p->death.pid;
    return look_find_thread(*pid, head->tid);
}

static int look_and_store(struct session *s, uint32_t lane,
                          const struct lane_open *open, int count, int at)
{
    lane_assert(at >= 0 && at < count && lane < LANE_MAX);
    static struct look look;
    static struct copy copy;
    struct lane_head head;
    uint64_t hash = 0;
    int32_t pid = 0, tid;
    uint32_t site = LANE_SITE_OF(open[at].site_kind);
    const char *ended = NULL;
    char why[128];
    memset(&look, 0, sizeof look);
    memset(&copy.head, 0, sizeof copy.head);
    look.syscall = LOOK_UNKNOWN;
    look.trouble = "its thread is not to be seen";
    int rc = lane_reader_lane(&s->reader, lane, &head);
    tid = rc == 0 ? thread_of(s, &head, &pid) : 0;
    rc = 0;
    if (tid)
        look_at(pid, tid, head.stack_low, head.stack_high,
                s->site[site].may_stop, &look);
    if (!look.trouble) {
        take_calls(s, pid, &look, open, count, &copy);
        if (!is_still_open(s, lane, open[at].span))
            look.trouble = "it ended while it was looked at";
        else
            rc = name_copy(s, head.process, &look, &copy, &hash);
    }
    if (rc < 0)
        return rc;
    char *frames = hash ? names_of(s, hash, &ended) : NULL;
    if (look.trouble) {
        snprintf(why, sizeof why, "not known (%s%s%s)", look.trouble,
                 look.error ? ": " : "",
                 look.error ? strerror(look.error) : "");
        ended = why;
    }
    rc = store(s, open[at].span, site, &look, frames, ended);
    free(frames);
    /* it may hold secrets of the program */
    memset(&look, 0, sizeof look);
    memset(&copy, 0, sizeof copy);
    return rc;
}

int overdue_note(struct session *s, uint32_t lane, const struct lane_open *open,
                 int count, int at)
{
    lane_assert(at >= 0 && at < count && lane < LANE_MAX);
    struct pending *p = pending_get(&s->pending, open[at].span);
    if (!p)
        return -ENOMEM;
    if (p->is_overdue || s->overdue_looks >= LOOKS_MAX)
        return 0;
    p->is_overdue = true;
    if (is_noted(s, open[at].span))
        return 0;
    lane_assert(s->overdue_looks < LOOKS_MAX);
    s->overdue_looks++;
    return look_and_store(s, lane, open, count, at);
}

struct begun {
    struct session *s;
    uint64_t now_ticks;
    int rc;
};

static void begun_look(struct pending *p, void *with)
{
    struct begun *b = with;
    const struct pending_frame *f = &p->frame[LANE_FRAME_BEGIN];
    struct lane_frame_begin begin;
    if (!f->payload || p->is_overdue || b->rc != 0)
        return;
    memcpy(&begin, f->payload, sizeof begin);
    struct lane_open open = {.t0_ticks = begin.t0_ticks, .site_kind = f->site};
    if (!overdue_is(b->s, &open, b->now_ticks))
        return;
    p->is_overdue = true;
    if (!is_noted(b->s, p->ref))
        b->rc = store(b->s, p->ref, f->site, NULL, NULL, NULL);
}

int overdue_look_begun(struct session *s, uint64_t now_ticks)
{
    struct begun b = {s, now_ticks, 0};
    pending_each(&s->pending, begun_look, &b);
    return b.rc;
}
