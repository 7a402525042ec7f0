/* SPDX-License-Identifier: Apache-2.0 */
/* From a thread to its stack by name and line; see live.h. */
#include "tools/cli/live/live.h"
#include "lane/format/error_frames.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RIP = 16,
    PATIENCE_MS = 60000, /* debug information of a large program */
};

/* ---- calls that handspan's trampolines carry ----------------------------- */

static bool word_at(const struct look *l, uint64_t address, uint64_t *word)
{
    uint64_t at = address - l->first_address;
    if (at >= l->stack_bytes || l->stack_bytes - at < sizeof *word)
        return false;
    memcpy(word, l->bytes + at, sizeof *word);
    return true;
}

/* A call at stack address `a` keeps `a` itself where the layout says; without a
 * session the mark of a copy and that word are all that tells it. */
static bool is_call(const struct look *l, uint64_t a,
                    struct lane_stack_call *call)
{
    uint64_t word, span;
    if (!word_at(l, a - LANE_KEPT_BELOW + LANE_KEPT_SP, &word) || word != a ||
        !word_at(l, a - LANE_KEPT_BELOW + LANE_KEPT_SPAN, &span))
        return false;
    bool is_copy =
        word_at(l, a - LANE_KEPT_MARK, &word) && word == (a ^ LANE_KEPT_MARKED);
    *call = (struct lane_stack_call){
        .span = span,
        .slot = a - (is_copy ? LANE_KEPT_COPY : LANE_KEPT_STRIDE),
        .sp = a + 8};
    return word_at(l, a - 8, &call->rbp) && word_at(l, a, &call->ip);
}

static uint16_t find_calls(const struct look *l, struct lane_stack_call *call)
{
    uint16_t n = 0;
    for (uint32_t i = 0; i < l->stack_bytes && n < LANE_STACK_CALLS_MAX; i += 8)
        n = (uint16_t)(n + is_call(l, l->first_address + i, &call[n]));
    return n;
}

/* ---- asking -------------------------------------------------------------- */

struct request {
    uint8_t *bytes;
    size_t len;
};

static void put(struct request *r, const void *bytes, size_t len)
{
    if (len && r->len + len <= SYMBOLIZE_REQUEST_MAX)
        memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
}

/* As a STACK frame of a session has it. */
static void put_stack(const struct live *l, const struct look *look,
                      struct request *r)
{
    static struct lane_stack_call calls[LANE_STACK_CALLS_MAX];
    struct lane_frame_stack head = {
        .reason = LANE_STACK_OVERDUE,
        .flags = look->is_truncated ? LANE_STACK_TRUNCATED : 0,
        .hash = 1,
        .first_address = look->first_address,
        .stack_bytes = look->stack_bytes,
        .known = look->known};
    memcpy(head.registers, look->registers, sizeof head.registers);
    head.call_count = l->is_traced ? find_calls(look, calls) : 0;
    put(r, &head, sizeof head);
    put(r, calls, head.call_count * sizeof *calls);
    put(r, look->bytes, look->stack_bytes);
}

static int ask(const struct live *l, const struct look *look,
               struct symbolize_client *client, char **answer)
{
    struct request r = {.bytes = malloc(SYMBOLIZE_REQUEST_MAX)};
    struct symbolize_request head = {.module_count = (uint32_t)l->object_count};
    if (!r.bytes)
        return -ENOMEM;
    memcpy(head.own_id, l->own_id, sizeof head.own_id);
    for (size_t i = 0; i < l->object_count; i++)
        head.path_bytes += l->object[i].module.path_bytes;
    put(&r, &head, sizeof head);
    for (size_t i = 0; i < l->object_count; i++)
        put(&r, &l->object[i].module, sizeof l->object[i].module);
    for (size_t i = 0; i < l->object_count; i++)
        put(&r, l->object[i].path, l->object[i].module.path_bytes);
    size_t before = r.len;
    put_stack(l, look, &r);
    int err = -E2BIG;
    if (r.len <= SYMBOLIZE_REQUEST_MAX) {
        head.stack_bytes = (uint32_t)(r.len - before);
        memcpy(r.bytes, &head, sizeof head);
        err = symbolize_ask(client, r.bytes, r.len, answer);
    }
    memset(r.bytes, 0, SYMBOLIZE_REQUEST_MAX); /* it may hold secrets */
    free(r.bytes);
    return err;
}

/* ---- what is said -------------------------------------------------------- */

static void set_ended(struct live_thread *t, const char *why)
{
    free(t->ended);
    t->ended = strdup(why);
}

static void take_answer(struct live_thread *t, const char *answer)
{
    cJSON *json = cJSON_Parse(answer);
    const cJSON *end = cJSON_GetObjectItem(json, "end");
    t->frames = cJSON_DetachItemFromObject(json, "frames");
    if (cJSON_IsString(end) && strcmp(end->valuestring, "whole") != 0)
        set_ended(t, end->valuestring);
    cJSON_Delete(json);
}

/* "read(4): /data/x.csv" */
static void add_descriptor(int32_t pid, const struct look *look,
                           struct live_thread *t)
{
    char path[64], target[160];
    size_t at = strlen(t->place);
    if (look->syscall < 0 || look->state == 'R' ||
        !look_takes_descriptor(look->syscall))
        return;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int)look->argument);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return;
    target[n] = 0;
    snprintf(t->place + at, sizeof t->place - at, ": %s", target);
}

int live_look_at(struct live *l, size_t at, bool may_stop,
                 struct symbolize_client *client)
{
    static struct look look;
    struct live_thread *t = &l->thread[at];
    char why[160];
    char *answer = NULL;
    look_at(l->pid, t->tid, 0, 0, false, &look);
    /* a stop may end a system call: only where there is no place without it */
    if (may_stop && look.trouble && look.state == 'R')
        look_at(l->pid, t->tid, 0, 0, true, &look);
    look_place_text(&look, t->place, sizeof t->place);
    add_descriptor(l->pid, &look, t);
    int err = 0;
    if (look.trouble) {
        snprintf(why, sizeof why, "not known: %s%s%s", look.trouble,
                 look.error ? ", " : "",
                 look.error ? strerror(look.error) : "");
        set_ended(t, why);
    } else {
        err = ask(l, &look, client, &answer);
        if (!err)
            take_answer(t, answer);
        free(answer);
    }
    if (err) {
        snprintf(why, sizeof why, "not unwound: %s", strerror(-err));
        set_ended(t, why);
    }
    live_find_lock(l, at, &look);
    memset(&look, 0, sizeof look);
    return err == -ENOMEM ? err : 0;
}

int live_look(struct live *l, bool may_stop)
{
    struct symbolize_client client = {.fd = -1, .patience_ms = PATIENCE_MS};
    int err = 0;
    for (size_t i = 0; i < l->thread_count && !err; i++)
        err = live_look_at(l, i, may_stop, &client);
    symbolize_stop(&client);
    return err;
}
