/* SPDX-License-Identifier: Apache-2.0 */
/* See names.h. */
#define _GNU_SOURCE
#include "tools/sidecar/session/names.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lane/format/error_frames.h"
#include "tools/sidecar/store/log.h"
#include "tools/symbolize/symbolize.h"
#include "lane/format/assert.h"

enum {
    PATH_BYTES = 4096,
    FORGOTTEN_NS = 2000000000, /* nobody asks for the answer any more */
};

/* One worker for all sessions of this process, and one for who cannot wait. */
static struct symbolize_client worker = {.fd = -1}, other_worker = {.fd = -1};
static struct {
    int64_t session;
    uint64_t hash;
    int64_t looked_ns; /* when its lane asked for it last */
    bool is_again;     /* the first worker died of something */
} asked;

struct request {
    uint8_t *bytes;
    size_t len;
};

static void put(struct request *r, const void *bytes, size_t len)
{
    if (r->len + len <= SYMBOLIZE_REQUEST_MAX)
        memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
}

/* The modules of the process, then their paths. */
static void put_modules(const struct session *s, uint32_t process,
                        struct request *r, struct request *paths)
{
    lane_assert(r != NULL && paths != NULL);
    struct symbolize_request *head = (void *)r->bytes;
    const struct session_process *of = session_process_of(s, process);
    for (uint32_t i = 0; i < s->reader.header.module_next; i++) {
        struct lane_module m;
        char path[PATH_BYTES];
        if (lane_reader_entry(&s->reader, LANE_TABLE_MODULES, i, &m) != 0 ||
            m.state == 0 || m.build_id_bytes > sizeof m.build_id)
            continue;
        /* a forked child has its parent's objects as well */
        if (m.process != 0 && m.process != process + 1 && of &&
            m.loaded_ticks > of->entry.t0_ticks)
            continue;
        lane_reader_string(&s->reader, m.path, 0, path, sizeof path);
        struct symbolize_module out = {
            .bias = m.base,
            .end = m.end,
            .path_bytes = (uint32_t)strlen(path),
            .build_id_bytes = m.build_id_bytes,
        };
        memcpy(out.build_id, m.build_id, sizeof out.build_id);
        put(r, &out, sizeof out);
        put(paths, path, out.path_bytes);
        head->module_count++;
    }
}

static int make_request(const struct session *s, uint32_t process,
                        const void *payload, uint32_t len_bytes,
                        struct request *r)
{
    lane_assert(len_bytes != 0 && r->bytes == NULL);
    struct request paths = {malloc(SYMBOLIZE_REQUEST_MAX), 0};
    r->bytes = malloc(SYMBOLIZE_REQUEST_MAX);
    if (!r->bytes || !paths.bytes) {
        free(paths.bytes);
        return -ENOMEM;
    }
    struct symbolize_request head = {.stack_bytes = len_bytes};
    memcpy(head.own_id, s->reader.header.build_id, sizeof head.own_id);
    put(r, &head, sizeof head);
    put_modules(s, process, r, &paths);
    if (paths.len <= SYMBOLIZE_REQUEST_MAX) {
        ((struct symbolize_request *)(void *)r->bytes)->path_bytes =
            (uint32_t)paths.len;
        put(r, paths.bytes, paths.len);
    }
    put(r, payload, len_bytes);
    free(paths.bytes);
    return r->len <= SYMBOLIZE_REQUEST_MAX ? 0 : -E2BIG;
}

/* Frames that are handlers say so by name. */
static void name_handlers(const struct session *s, cJSON *frames)
{
    cJSON *frame;
    cJSON_ArrayForEach(frame, frames)
    {
        const cJSON *item = cJSON_GetObjectItem(frame, "site");
        uint32_t site = item ? (uint32_t)item->valuedouble : 0;
        if (site != 0 && site < LANE_SITE_MAX && s->site[site].is_known)
            cJSON_AddStringToObject(frame, "handler", s->site[site].name);
        cJSON_DeleteItemFromObject(frame, "site");
    }
}

/* The answer's parts into the store. */
static int store_names(struct session *s, uint64_t hash, const char *answer)
{
    lane_assert(answer != NULL);
    cJSON *json = cJSON_Parse(answer);
    cJSON *frames = cJSON_GetObjectItem(json, "frames");
    const cJSON *end = cJSON_GetObjectItem(json, "end");
    name_handlers(s, frames);
    char *text = frames ? cJSON_PrintUnformatted(frames) : NULL;
    int rc = store_run(s->store, STORE_STACK_SET, "iitt", s->id, (int64_t)hash,
                       text ? text : "[]",
                       cJSON_IsString(end) ? end->valuestring
                                           : "no answer was made");
    free(text);
    cJSON_Delete(json);
    return rc;
}

/* `rc` is what came of asking; `answer` is freed. */
static int store_answer(struct session *s, uint64_t hash, int rc, char *answer)
{
    lane_assert(rc != 0 || answer != NULL);
    char why[96];
    if (rc == 0)
        rc = store_names(s, hash, answer);
    else {
        snprintf(why, sizeof why, "not unwound: %s", strerror(-rc));
        log_line("%s: a stack was %s", s->name, why);
        rc = store_run(s->store, STORE_STACK_SET, "iitt", s->id, (int64_t)hash,
                       "[]", why);
    }
    free(answer);
    return rc < 0 ? rc : 0;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* With an answer: wait for it. */
static int ask(const struct session *s, uint32_t process, const void *payload,
               uint32_t len_bytes, char **answer)
{
    struct request r = {0};
    int rc = make_request(s, process, payload, len_bytes, &r);
    if (rc == 0)
        rc = answer ? symbolize_ask(&other_worker, r.bytes, r.len, answer)
                    : symbolize_begin(&worker, r.bytes, r.len);
    if (r.bytes)
        memset(r.bytes, 0, SYMBOLIZE_REQUEST_MAX);
    free(r.bytes);
    return rc;
}

static bool is_named(struct session *s, uint64_t hash)
{
    bool found =
        store_start(s->store, STORE_STACK_GET, "ii", s->id, (int64_t)hash) > 0;
    while (found && store_next(s->store, STORE_STACK_GET) > 0)
        ;
    return found;
}

int names_now(struct session *s, uint32_t process, const void *payload,
              uint32_t len_bytes)
{
    lane_assert(len_bytes >= sizeof(struct lane_frame_stack));
    struct lane_frame_stack head;
    char *answer = NULL;
    memcpy(&head, payload, sizeof head);
    if (is_named(s, head.hash))
        return 0;
    int rc = ask(s, process, payload, len_bytes, &answer);
    return store_answer(s, head.hash, rc, answer);
}

int names_meanwhile(struct session *s, uint32_t process, const void *payload,
                    uint32_t len_bytes)
{
    lane_assert(len_bytes >= sizeof(struct lane_frame_stack));
    struct lane_frame_stack head;
    memcpy(&head, payload, sizeof head);
    int64_t now_ns = now();
    bool is_mine = asked.session == s->id && asked.hash == head.hash;
    char *answer = NULL;
    int rc = 0;
    if (is_named(s, head.hash))
        return 0;
    if (symbolize_is_busy(&worker) && !is_mine) {
        if (now_ns - asked.looked_ns < FORGOTTEN_NS)
            return -EINPROGRESS;
        symbolize_stop(&worker);
    }
    if (!symbolize_is_busy(&worker)) {
        rc = ask(s, process, payload, len_bytes, NULL);
        asked.session = s->id;
        asked.hash = head.hash;
        asked.is_again &= is_mine;
    }
    asked.looked_ns = now_ns;
    if (rc == 0)
        rc = symbolize_look(&worker, &answer);
    if (rc == -EPIPE && !asked.is_again) {
        asked.is_again = true;
        return -EINPROGRESS;
    }
    return rc == -EINPROGRESS ? rc : store_answer(s, head.hash, rc, answer);
}

void names_pause(int64_t ns, int news)
{
    struct pollfd wait[] = {
        {
            .fd = symbolize_is_busy(&worker) ? worker.fd : -1,
            .events = worker.is_answer ? POLLIN : POLLOUT,
        },
        {.fd = death_wait_fd(), .events = POLLIN},
        {.fd = news, .events = POLLIN},
    };
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    if (ppoll(wait, 3, &t, NULL) > 0 && wait[1].revents)
        death_gather();
}

char *names_of(struct session *s, uint64_t hash, const char **ended)
{
    static char why[96];
    char *copy = NULL;
    int rc = hash == 0 ? 0
                       : store_start(s->store, STORE_STACK_GET, "ii", s->id,
                                     (int64_t)hash);
    while (rc > 0) {
        size_t len;
        const char *text = store_blob(s->store, STORE_STACK_GET, 0, &len);
        free(copy);
        copy = text ? strndup(text, len) : NULL;
        text = store_blob(s->store, STORE_STACK_GET, 1, &len);
        snprintf(why, sizeof why, "%.*s", (int)len, text ? text : "");
        *ended = strcmp(why, "whole") == 0 ? NULL : why;
        rc = store_next(s->store, STORE_STACK_GET);
    }
    return copy;
}
