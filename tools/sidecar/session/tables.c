/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands beside the log: processes, contexts, sites, counters, losses.
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
    ITEMS_OF_SITE_MAX = 4096,
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

/* ---- sites ------------------------------------------------------------- */

static int items_read(struct session *s, const struct lane_site *entry,
                      struct session_site *site)
{
    uint32_t count = entry->item_count;
    if (count > ITEMS_OF_SITE_MAX)
        count = 0;
    site->items = calloc(count ? count : 1, sizeof *site->items);
    if (!site->items)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct lane_item item;
        char key[1024];
        if (lane_reader_entry(&s->reader, LANE_TABLE_ITEMS,
                              entry->item_first + i, &item) != 0)
            break;
        lane_reader_string(&s->reader, item.key, 0, key, sizeof key);
        site->items[i] = (struct decode_item){
            .key = strdup(key),
            .direction = item.direction,
            .type = item.type,
            .size_bytes = item.size_bytes,
            .is_unsigned = item.is_unsigned != 0,
            .value = item.value,
        };
        if (!site->items[i].key)
            return -ENOMEM;
        site->decode.count = i + 1;
    }
    site->decode.item = site->items;
    site->decode.cap_bytes = entry->cap_bytes;
    site->decode.name = site->name;
    return 0;
}

void tables_build_id(const struct session *s, uint32_t module_plus_1, char *out,
                     size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    struct lane_module module;
    out[0] = 0;
    if (module_plus_1 == 0 ||
        lane_reader_entry(&s->reader, LANE_TABLE_MODULES, module_plus_1 - 1,
                          &module) != 0 ||
        module.build_id_bytes > sizeof module.build_id)
        return;
    for (uint32_t i = 0; i < module.build_id_bytes && i * 2 + 3 <= cap_bytes;
         i++)
        snprintf(out + i * 2, 3, "%02x", module.build_id[i]);
}

static int site_store(struct session *s, uint32_t index,
                      const struct lane_site *entry,
                      const struct session_site *site)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    static const char *const bindings[] = {"none", "entry", "slots"};
    static const char *const shims[] = {NULL, "frame", "zero-copy"};
    char symbol[TEXT_MAX], object[TEXT_MAX], reason[TEXT_MAX];
    char declared[TEXT_MAX], manifest[TEXT_MAX];
    char build_id[2 * sizeof(((struct lane_module *)0)->build_id) + 1];
    lane_reader_string(&s->reader, entry->symbol, 0, symbol, sizeof symbol);
    lane_reader_string(&s->reader, entry->object, 0, object, sizeof object);
    lane_reader_string(&s->reader, entry->reason, 0, reason, sizeof reason);
    lane_reader_string(&s->reader, entry->declared, 0, declared,
                       sizeof declared);
    lane_reader_string(&s->reader, entry->manifest, 0, manifest,
                       sizeof manifest);
    tables_build_id(s, entry->module, build_id, sizeof build_id);
    int rc = store_run(
        s->store, STORE_SITE_SET, "iittttttitiiitti", s->id, (int64_t)index,
        site->name, symbol[0] ? symbol : NULL, object[0] ? object : NULL,
        bindings[entry->binding < 3 ? entry->binding : 0],
        shims[entry->shim < 3 ? entry->shim : 0], reason[0] ? reason : NULL,
        entry->address ? (int64_t)entry->address : STORE_NULL,
        build_id[0] ? build_id : NULL,
        entry->declaration ? (int64_t)entry->declaration : STORE_NULL,
        (int64_t)site->is_root, site->slow_ns ? site->slow_ns : STORE_NULL,
        declared[0] ? declared : NULL, manifest[0] ? manifest : NULL,
        site->overdue_ns ? site->overdue_ns : STORE_NULL);
    s->is_moved = true;
    return rc < 0 ? rc : 0;
}

static int site_sync(struct session *s, uint32_t index,
                     const struct lane_site *entry)
{
    lane_assert(index != 0 && index < LANE_SITE_MAX);
    struct session_site *site = &s->site[index];
    if (entry->state != 1)
        return 0;
    int rc = items_read(s, entry, site);
    if (rc != 0)
        return rc;
    lane_reader_string(&s->reader, entry->name, 0, site->name,
                       sizeof site->name);
    if (!site->name[0])
        lane_reader_string(&s->reader, entry->symbol, 0, site->name,
                           sizeof site->name);
    site->is_root = (entry->flags & LANE_SITE_ROOT) != 0;
    site->slow_ns = (int64_t)entry->slow_us * 1000;
    site->overdue_ns = (int64_t)entry->overdue_ms * 1000000;
    site->may_stop = entry->stop == 1;
    s->has_overdue |= site->overdue_ns != 0;
    site->is_known = true;
    site->is_internal = (entry->flags & LANE_SITE_INTERNAL) != 0;
    return site->is_internal ? 0 : site_store(s, index, entry, site);
}

/* Those that are not known yet, many in one look: a process watches some
 * hundred functions beside its handlers. */
static int sites_sync(struct session *s)
{
    struct lane_site some[LANE_READ_MOST];
    struct lane_strings strings;
    uint32_t end = s->reader.header.site_next;
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i < end;) {
        if (s->site[i].is_known) {
            i++;
            continue;
        }
        uint32_t n = end - i < LANE_READ_MOST ? end - i : LANE_READ_MOST;
        rc = lane_reader_entries(&s->reader, LANE_TABLE_SITES, i, n, some);
        strings.offset = strings.len_bytes = 0; /* theirs are there now */
        s->reader.strings = &strings;
        for (uint32_t j = 0; rc == 0 && j < n; j++)
            if (!s->site[i + j].is_known)
                rc = site_sync(s, i + j, &some[j]);
        s->reader.strings = NULL;
        i += n;
    }
    return rc;
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
        rc = sites_sync(s);
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
