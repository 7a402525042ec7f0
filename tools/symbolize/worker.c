/* SPDX-License-Identifier: Apache-2.0 */
/* The process that reads foreign ELF and DWARF: see symbolize.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tools/common/system.h"
#include "tools/common/config.h"
#include "tools/common/confine.h"
#include "tools/common/text/hash.h"
#include "tools/symbolize/entry.h"
#include "tools/symbolize/fetch.h"
#include "tools/symbolize/object_file.h"
#include "tools/symbolize/symbolize.h"
#include "tools/symbolize/unwind.h"
#include "tools/symbolize/values.h"

enum {
    MEMORY_MAX_GB = 4,
};

/* The modules of the last request: the next one is mostly the same process. */
static struct modules *known;
static uint64_t known_hash;

struct parts {
    struct symbolize_request head;
    const uint8_t *modules, *paths, *stack;
    struct lane_frame_stack frame;
    struct lane_stack_call call[LANE_STACK_CALLS_MAX];
    const uint8_t *bytes;
};

/* What the lengths promise is there, or false. */
static bool take_apart(const uint8_t *request, size_t len_bytes,
                       struct parts *p)
{
    if (len_bytes < sizeof p->head)
        return false;
    memcpy(&p->head, request, sizeof p->head);
    uint64_t modules =
        (uint64_t)p->head.module_count * sizeof(struct symbolize_module);
    uint64_t all = sizeof p->head + modules + p->head.path_bytes;
    if (all + p->head.stack_bytes != len_bytes ||
        p->head.stack_bytes < sizeof p->frame)
        return false;
    p->modules = request + sizeof p->head;
    p->paths = p->modules + modules;
    p->stack = p->paths + p->head.path_bytes;
    memcpy(&p->frame, p->stack, sizeof p->frame);
    uint64_t calls = p->frame.call_count * sizeof p->call[0];
    if (p->frame.call_count > LANE_STACK_CALLS_MAX ||
        sizeof p->frame + calls + p->frame.stack_bytes != p->head.stack_bytes)
        return false;
    memcpy(p->call, p->stack + sizeof p->frame, calls);
    p->bytes = p->stack + sizeof p->frame + calls;
    return true;
}

static struct modules *read_modules(const struct parts *p)
{
    struct modules *modules = modules_new();
    const uint8_t *path = p->paths;
    uint32_t left = p->head.path_bytes;
    for (uint32_t i = 0; modules && i < p->head.module_count; i++) {
        struct symbolize_module m;
        char text[4096];
        memcpy(&m, p->modules + i * sizeof m, sizeof m);
        if (m.path_bytes > left || m.path_bytes >= sizeof text ||
            m.build_id_bytes > sizeof m.build_id)
            break;
        memcpy(text, path, m.path_bytes);
        text[m.path_bytes] = 0;
        path += m.path_bytes;
        left -= m.path_bytes;
        struct module_place place = {m.bias, m.end, text, m.build_id,
                                     m.build_id_bytes};
        if (modules_add(modules, &place) != 0)
            break; /* its frames have no names, then */
    }
    return modules;
}

static struct modules *modules_of(const struct parts *p)
{
    uint64_t hash =
        hash_bytes(HASH_BEGIN, p->modules, (size_t)(p->stack - p->modules));
    if (known && hash == known_hash)
        return known;
    modules_free(known);
    known = read_modules(p);
    known_hash = hash;
    return known;
}

static struct values values_of(const struct parts *p)
{
    return (struct values){
        .place = {.bytes = p->bytes,
                  .first_address = p->frame.first_address,
                  .len_bytes = p->frame.stack_bytes},
        .room = VALUES_BYTES,
    };
}

static const char *const end_names[] = {
    [UNWIND_WHOLE] = "whole",
    [UNWIND_TRUNCATED] = "truncated",
    [UNWIND_LOST] = "lost",
    [UNWIND_MOST] = "too many frames",
};

static void describe_all(struct modules *modules,
                         const struct unwind_frame *frames, int count,
                         struct values *values, cJSON *list)
{
    struct entry_chain chain;
    modules_values(modules, values);
    for (int i = 0; i < count; i++) {
        if (values) {
            chain =
                (struct entry_chain){modules, &frames[i + 1], count - i - 1};
            values->place.chain = &chain;
            values->place.frame = &frames[i].at;
        }
        modules_describe(modules, frames[i].address, frames[i].is_call,
                         frames[i].is_guess, list);
        cJSON *last = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
        if (frames[i].site && last)
            cJSON_AddNumberToObject(last, "site", frames[i].site);
    }
    modules_values(modules, NULL);
}

/* Once for the secrets alone, then without them. */
static void describe_with_values(struct modules *modules, const struct parts *p,
                                 const struct unwind_frame *frames, int count,
                                 cJSON *list)
{
    static struct values_secrets secrets;
    struct values values = values_of(p);
    cJSON *unused = cJSON_CreateArray();
    secrets.count = 0;
    values.secrets = &secrets;
    values.room = UINT32_MAX;
    values.is_filling = true;
    describe_all(modules, frames, count, &values, unused);
    cJSON_Delete(unused);
    values.room = VALUES_BYTES;
    values.is_filling = false;
    describe_all(modules, frames, count, &values, list);
    memset(&secrets, 0, sizeof secrets);
}

char *symbolize_answer(const uint8_t *request, size_t len_bytes)
{
    static struct parts parts;
    static struct unwind_frame frames[UNWIND_MAX];
    cJSON *answer = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(answer, "frames");
    enum unwind_end end = UNWIND_LOST;
    struct modules *modules =
        take_apart(request, len_bytes, &parts) ? modules_of(&parts) : NULL;
    if (modules) {
        struct unwind_input in = {&parts.frame, parts.call, parts.bytes,
                                  parts.head.own_id};
        int count = unwind_stack(modules, &in, frames, &end);
        if (parts.frame.flags & LANE_STACK_LOCALS)
            describe_with_values(modules, &parts, frames, count, list);
        else
            describe_all(modules, frames, count, NULL, list);
    }
    cJSON_AddStringToObject(answer, "end", end_names[end]);
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    return text;
}

static char *answer_any(const uint8_t *request, size_t len_bytes)
{
    uint32_t kind = 0;
    if (len_bytes >= sizeof kind)
        memcpy(&kind, request, sizeof kind);
    if (kind == SYMBOLIZE_PLACES)
        return symbolize_places((const char *)request + sizeof kind,
                                len_bytes - sizeof kind);
    fetch_begin(false);
    return symbolize_answer(request, len_bytes);
}

static bool read_all(int fd, void *out, size_t len_bytes)
{
    for (uint8_t *to = out; len_bytes > 0;) {
        ssize_t n = read(fd, to, len_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t len_bytes)
{
    for (const uint8_t *from = bytes; len_bytes > 0;) {
        ssize_t n = write(fd, from, len_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

static void forget_all(void)
{
    modules_free(known);
    known = NULL;
    object_files_end();
}

/* The next request's length. What is kept for it goes if it does not come. */
static bool await_request(int fd, uint32_t *len_bytes)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    if (poll(&wanted, 1, OBJECT_FILE_KEEP_S * 1000) == 0)
        forget_all();
    return read_all(fd, len_bytes, sizeof *len_bytes);
}

int symbolize_serve(int fd)
{
    struct rlimit memory = {(rlim_t)MEMORY_MAX_GB << 30,
                            (rlim_t)MEMORY_MAX_GB << 30};
    const char *urls = config_get(CONFIG_DEBUGINFOD_URLS);
    unsetenv("DEBUGINFOD_URLS"); /* elfutils would ask whom it names */
    if (!SYSTEM_IS_SANITIZED)
        (void)setrlimit(RLIMIT_AS, &memory);
    /* it holds stack copies, and reads what anybody built */
    (void)confine(urls ? CONFINE_NETWORK : CONFINE_READER, NULL);
    uint8_t *request = malloc(SYMBOLIZE_REQUEST_MAX);
    uint32_t len;
    int status = request ? 0 : 1;
    while (request && await_request(fd, &len)) {
        status = 1;
        if (len > SYMBOLIZE_REQUEST_MAX || !read_all(fd, request, len))
            break;
        char *text = answer_any(request, len);
        uint32_t text_len = text ? (uint32_t)strlen(text) : 0;
        memset(request, 0, len);
        bool ok = text && text_len <= SYMBOLIZE_ANSWER_MAX &&
                  write_all(fd, &text_len, sizeof text_len) &&
                  write_all(fd, text, text_len);
        free(text);
        if (!ok)
            break;
        status = 0;
    }
    free(request);
    forget_all();
    return status;
}
