/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands beside the log: processes, contexts (sites: sites.c; counters,
 * losses: counters.c).
 * Entries become rows as soon as their `state` says that they are whole.
 */
#define _GNU_SOURCE
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/sidecar/session/session.h"
#include "tools/sidecar/session/words.h"
#include "lane/format/assert.h"

enum {
    TEXT_MAX = 4096,
    SEPARATOR = '\x1f', /* stands for NUL between arguments */
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* ---- processes --------------------------------------------------------- */

/* Arguments as a JSON array; free() it. */
static char *command_json(const struct session *s, struct lane_string command)
{
    lane_assert(s->reader.fd >= 0);
    char text[TEXT_MAX * 2];
    lane_reader_string(&s->reader, command, SEPARATOR, text, sizeof text);
    cJSON *array = cJSON_CreateArray();
    char *at = text;
    while (*at) {
        char *end = strchrnul(at, SEPARATOR);
        char kept = *end;
        *end = 0;
        cJSON_AddItemToArray(array, cJSON_CreateString(at));
        at = kept ? end + 1 : end;
    }
    char *json = cJSON_PrintUnformatted(array);
    cJSON_Delete(array);
    return json;
}

static void process_name(const struct session *s, const struct lane_process *p,
                         char *program, char *name, size_t cap_bytes)
{
    lane_assert(cap_bytes > LANE_NAME_BYTES);
    lane_reader_string(&s->reader, p->program, 0, program, cap_bytes);
    if (program[0]) {
        snprintf(name, cap_bytes, "%s", base_name(program));
        return;
    }
    char raw[LANE_NAME_BYTES + 1] = "";
    memcpy(raw, p->name, LANE_NAME_BYTES);
    snprintf(name, cap_bytes, "%s", raw[0] ? raw : "?");
}

static int process_store(struct session *s, uint32_t index)
{
    lane_assert(index < LANE_PROCESS_MAX);
    struct session_process *p = &s->process[index];
    uint32_t context = p->entry.context;
    int64_t trace = tables_trace(s, &context, p->entry.t0_ticks);
    if (trace < 0)
        return (int)trace;
    char program[TEXT_MAX], name[TEXT_MAX];
    process_name(s, &p->entry, program, name, sizeof program);
    char *command = command_json(s, p->entry.command);
    int rc = store_run(
        s->store, STORE_PROCESS_SET, "iiiiiittti", s->id, (int64_t)p->number,
        trace, (int64_t)p->entry.pid,
        p->entry.parent ? (int64_t)p->entry.parent - 1 : STORE_NULL,
        p->entry.parent_ref ? (int64_t)p->entry.parent_ref : STORE_NULL, name,
        program[0] ? program : NULL, command,
        clock_unix_ns(&s->clock, p->entry.t0_ticks));
    free(command);
    if (rc >= 0 && index == 0)
        rc = store_run(s->store, STORE_PROCESS_EXECED, "ii", trace,
                       (int64_t)p->entry.pid);
    if (rc >= 0) /* after an exec: the trace goes on */
        rc = store_run(s->store, STORE_TRACE_PROCESS, "i", trace);
    p->is_stored = true;
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

int tables_lost(struct session *s, const struct session_process *process)
{
    lane_assert(process->is_known);
    static const char *const words[] = {
        NULL, "static", "privileged", "foreign", "cleared", "root", "user"};
    const struct lane_process *entry = &process->entry;
    char target[TEXT_MAX];
    if (entry->lost == LANE_LOST_NOT ||
        entry->lost >= sizeof words / sizeof *words)
        return 0;
    lane_reader_string(&s->reader, entry->target, 0, target, sizeof target);
    int rc = store_run(s->store, STORE_PROCESS_LOST, "iitt", s->id,
                       (int64_t)process->number, words[entry->lost],
                       target[0] ? target : NULL);
    return rc < 0 ? rc : 0;
}

/* A place with somebody in it, who is new or still there. */
static int process_sync(struct session *s, uint32_t index)
{
    lane_assert(index < LANE_PROCESS_MAX);
    struct session_process *p = &s->process[index];
    struct lane_process entry;
    int rc = lane_reader_entry(&s->reader, LANE_TABLE_PROCESSES, index, &entry);
    if (rc != 0)
        return rc;
    if (entry.state == LANE_PROCESS_FREE)
        p->is_free = true;
    if (entry.state != LANE_PROCESS_RUNS && entry.state != LANE_PROCESS_ENDED)
        return 0;
    p->entry = entry;
    if (!p->is_known) {
        p->number = LANE_PROCESS_NUMBER(entry.generation, index);
        lane_assert(LANE_PROCESS_SLOT(p->number) == index);
        death_watch(&p->death, entry.pid, entry.start_time,
                    s->reader.header.pid_namespace);
    }
    if (!p->is_known && !s->is_boot_ours)
        p->death.state = DEATH_DEAD;
    p->is_known = true;
    p->is_free = false;
    return p->is_stored ? 0 : process_store(s, index);
}

void tables_look_again(struct session *s)
{
    s->again_seen = s->reader.header.process_again - 1;
}

void tables_forget_process(struct session_process *process)
{
    lane_assert(process->is_ended);
    death_close(&process->death);
    *process = (struct session_process){.is_free = true, .death.pidfd = -1};
}

static int processes_sync(struct session *s)
{
    static uint32_t state[LANE_PROCESS_MAX];
    uint32_t again = s->reader.header.process_again;
    uint32_t count = s->reader.header.process_next;
    bool looks = again != s->again_seen;
    int rc = looks ? lane_reader_process_states(&s->reader, count, state) : 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct session_process *p = &s->process[i];
        if (p->is_ended || p->is_gone ||
            (p->is_free && (!looks || state[i] == LANE_PROCESS_FREE)))
            continue;
        rc = process_sync(s, i);
    }
    if (rc == 0)
        s->again_seen = again;
    return rc;
}

/* ---- contexts and traces ------------------------------------------------ */

static int64_t trace_add(struct session *s, uint32_t index,
                         const struct lane_context *context,
                         uint64_t start_ticks)
{
    lane_assert(index < LANE_CONTEXT_MAX);
    char program[TEXT_MAX], name[TEXT_MAX] = "?";
    struct lane_process *root = &s->process[0].entry;
    bool is_process = index == 0;
    if (is_process) {
        process_name(s, root, program, name, sizeof program);
        start_ticks = root->t0_ticks ? root->t0_ticks : start_ticks;
    }
    uint8_t parent[8];
    for (int i = 0; i < 8; i++)
        parent[i] = (uint8_t)(context->remote_parent >> (56 - i * 8));
    const void *remote = context->remote_parent ? parent : NULL;
    size_t remote_len = context->remote_parent ? sizeof parent : 0;
    int64_t root_ref =
        is_process ? (int64_t)LANE_REF(LANE_PROCESS_LANE, 1) : STORE_NULL;
    int rc = store_run(s->store, STORE_TRACE_ADD, "biibitii",
                       (const void *)context->trace_id,
                       sizeof context->trace_id, s->id, (int64_t)index, remote,
                       remote_len, (int64_t)(context->flags & 0xff), name,
                       root_ref, clock_unix_ns(&s->clock, start_ticks));
    bool is_moved = rc > 0; /* new, or begun by this session now */
    int64_t trace = -EBADMSG;
    if (rc >= 0)
        rc = store_start(s->store, STORE_TRACE_FIND, "b",
                         (const void *)context->trace_id,
                         sizeof context->trace_id);
    if (rc > 0) {
        trace = store_int(s->store, STORE_TRACE_FIND, 0);
        rc = store_next(s->store, STORE_TRACE_FIND);
    }
    if (rc >= 0)
        rc = store_run(s->store, STORE_CONTEXT_ADD, "iiib", s->id,
                       (int64_t)index, trace, remote, remote_len);
    if (rc >= 0 && is_moved)
        rc = store_run(s->store, STORE_TRACE_ROOTS, "i", trace);
    s->is_moved = true;
    return rc < 0 ? rc : trace;
}

static int traces_grow(struct session *s, uint32_t index)
{
    if (index < s->traces)
        return 0;
    uint32_t count = s->traces ? s->traces : 16;
    while (count <= index)
        count *= 2;
    int64_t *grown = realloc(s->trace, count * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + s->traces, 0, (count - s->traces) * sizeof *grown);
    s->trace = grown;
    s->traces = count;
    return 0;
}

int64_t tables_trace(struct session *s, uint32_t *index, uint64_t start_ticks)
{
    if (*index < s->traces && s->trace[*index] > 0)
        return s->trace[*index];
    struct lane_context context = {0};
    int rc = -EINVAL;
    if (*index < s->reader.header.table[LANE_TABLE_CONTEXTS].capacity)
        rc = lane_reader_entry(&s->reader, LANE_TABLE_CONTEXTS, *index,
                               &context);
    if ((rc != 0 || context.state != 1) && *index != 0) {
        s->corrupt++;
        *index = 0;
        return tables_trace(s, index, start_ticks);
    }
    if (rc != 0)
        return rc;
    if (context.state != 1) /* no trace at all: one of the session's key */
        memcpy(context.trace_id, &s->reader.header.key, 8);
    rc = traces_grow(s, *index);
    if (rc != 0)
        return rc;
    rc =
        store_start(s->store, STORE_CONTEXT_FIND, "ii", s->id, (int64_t)*index);
    int64_t trace = 0;
    while (rc > 0) {
        trace = store_int(s->store, STORE_CONTEXT_FIND, 0);
        rc = store_next(s->store, STORE_CONTEXT_FIND);
    }
    if (rc == 0 && trace == 0)
        trace = trace_add(s, *index, &context, start_ticks);
    if (rc < 0)
        return rc;
    if (trace > 0)
        s->trace[*index] = trace;
    return trace;
}

int tables_loading(struct session *s, bool is_over)
{
    const struct lane_session *h = &s->reader.header;
    if (s->is_loading_known || !s->process[0].is_stored)
        return 0;
    /* it may have begun and ended since the last look */
    int err =
        h->loaded_ticks == 0 && is_over ? lane_reader_refresh(&s->reader) : 0;
    if (err || h->loaded_ticks == 0)
        return err;
    s->is_loading_known = true;
    if (h->minor < LANE_MINOR_EXEC || h->exec_ticks == 0 ||
        h->exec_ticks > h->loaded_ticks)
        return 0;
    int64_t ns = clock_duration_ns(&s->clock, h->exec_ticks, h->loaded_ticks);
    int rc = store_run(
        s->store, STORE_PROCESS_LOADED, "iii", s->id, ns,
        h->loaded_cpu_ns < (uint64_t)ns ? (int64_t)h->loaded_cpu_ns : ns);
    return rc < 0 ? rc : 0;
}

/* "withheld: REASON (...": preload/start/discreet.c. */
static void find_withheld(struct session *s, const char *note)
{
    const char *line = strstr(note, "withheld: ");
    const char *end = line ? strstr(line, " (command line") : NULL;
    if (!end || (line != note && line[-1] != '\n') ||
        memchr(line, '\n', (size_t)(end - line)))
        return;
    line += strlen("withheld: ");
    snprintf(s->withheld, sizeof s->withheld, "%.*s", (int)(end - line), line);
}

static int note_sync(struct session *s)
{
    const struct lane_session *h = &s->reader.header;
    if (h->note_bytes == s->note_bytes || h->note_string == 0)
        return 0;
    char text[TEXT_MAX * 2];
    struct lane_string where = {h->note_string, h->note_bytes};
    lane_reader_string(&s->reader, where, 0, text, sizeof text);
    s->note_bytes = h->note_bytes;
    find_withheld(s, text);
    s->is_moved = true;
    int rc = store_run(s->store, STORE_SESSION_NOTE, "it", s->id, text);
    return rc < 0 ? rc : 0;
}

int tables_sync(struct session *s)
{
    int rc = processes_sync(s);
    if (rc == 0)
        rc = tables_sites(s);
    if (rc == 0)
        rc = service_sync(s);
    if (rc == 0)
        rc = tables_loading(s, false);
    if (rc == 0)
        rc = note_sync(s);
    return rc == 0 ? words_read(s) : rc;
}

void tables_free(struct session *s)
{
    /* not the whole arrays: most of their pages were never touched */
    const struct lane_session *h = &s->reader.header;
    for (uint32_t i = 0; s->site && i < h->site_next && i < LANE_SITE_MAX;
         i++) {
        for (uint32_t j = 0; j < s->site[i].decode.count; j++)
            free(s->site[i].items[j].key);
        free(s->site[i].items);
        free(s->site[i].counted);
    }
    for (uint32_t i = 0;
         s->process && i < h->process_next && i < LANE_PROCESS_MAX; i++)
        if (s->process[i].is_known)
            death_close(&s->process[i].death);
    free(s->site);
    free(s->process);
    free(s->trace);
}
