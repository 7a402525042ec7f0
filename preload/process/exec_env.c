/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of an exec'ed program: TRACEPARENT is set to the span that
 * is open, and we are taken out of an LD_PRELOAD that would only make the
 * loader complain. The program's own array and strings are never changed.
 *
 * Left as it is: an environment without us in LD_PRELOAD and without
 * TRACEPARENT (who clears it wants it clear), and a TRACEPARENT that is not
 * the one this process was given: the program says itself whose child that is.
 *
 * The program's memory may be anything: it is read as captures are. [any
 * thread; in a child of vfork on a small stack] General registers only.
 */
#include "preload/process/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane/format/ids.h"
#include "lane/x86_64/machine.h"
#include "preload/settings/config.h"
#include "preload/process/exec_time.h"
#include "preload/call/memory/read.h"
#include "lane/format/assert.h"

enum {
    STATE_MAX = 512 + 16,    /* W3C: at least 512 are to be passed on */
    BAGGAGE_MAX = 8192 + 16, /* W3C baggage: 8192 */
    CHUNK = 32,              /* pointers read at once */
    MOST = 1 << 20,
};
static const char self_name[] = "libhandspan.so";

/* As they were at the start; empty: not given. */
static char given_parent[EXEC_PARENT_BYTES];
static char given_state[STATE_MAX], given_baggage[BAGGAGE_MAX];
static uint64_t area_low, area_high; /* the first environment's strings */

static size_t put(char *out, size_t cap, size_t at, const char *text)
{
    lane_assert(at <= cap);
    for (; *text && at + 1 < cap; text++)
        out[at++] = *text;
    out[at] = 0;
    return at;
}

/* Whole or not at all. */
static void keep(const char *name, char *out, size_t cap)
{
    const char *value = config_get(name);
    size_t at = put(out, cap, 0, name);
    at = put(out, cap, at, "=");
    size_t len = 0;
    while (value && value[len])
        len++;
    if (value && at + len < cap)
        put(out, cap, at, value);
    else
        out[0] = 0;
}

void exec_env_start(void)
{
    keep("TRACEPARENT", given_parent, sizeof given_parent);
    keep("TRACESTATE", given_state, sizeof given_state);
    keep("BAGGAGE", given_baggage, sizeof given_baggage);
    for (char **entry = config.env; entry && *entry; entry++) {
        const char *end = *entry;
        while (*end)
            end++;
        if (area_low == 0)
            area_low = (uint64_t)*entry;
        area_high = (uint64_t)end + 1;
    }
    if (area_high < area_low)
        area_low = area_high = 0;
}

/* ---- looking ---------------------------------------------------------- */

static struct reader make_reader(void)
{
    return (struct reader){
        .pid = (uint32_t)machine_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
        .stack_low = area_low,
        .stack_high = area_high};
}

/* Does the program's string begin so? */
static bool begins(const char *bytes, size_t len, const char *with)
{
    lane_assert(with[0] != 0);
    size_t i = 0;
    for (; with[i]; i++)
        if (i >= len || bytes[i] != with[i])
            return false;
    return true;
}

static bool contains(const char *text, const char *what)
{
    for (; *text; text++) {
        size_t i = 0;
        while (what[i] && text[i] == what[i])
            i++;
        if (!what[i])
            return true;
    }
    return false;
}

static bool is_given_parent(const struct reader *reader, const char *entry)
{
    char text[EXEC_PARENT_BYTES];
    struct read_part part =
        read_text(reader, text, (uint64_t)entry, sizeof text);
    if (part.end != READ_NUL || !given_parent[0])
        return false;
    text[part.len] = 0;
    for (size_t i = 0; i <= part.len; i++)
        if (text[i] != given_parent[i])
            return false;
    return true;
}

static void look_preload(const struct reader *reader, const char *entry,
                         struct exec_env *found)
{
    char text[EXEC_PRELOAD_MAX];
    struct read_part part =
        read_text(reader, text, (uint64_t)entry, sizeof text - 1);
    text[part.len] = 0;
    /* what is too long to look through probably has us */
    if (part.end == READ_FULL || contains(text, self_name))
        found->has_preload = found->is_ours = true;
    if (part.end == READ_NUL)
        found->preload = entry;
}

static void look_entry(const struct reader *reader, const char *entry,
                       struct exec_env *found)
{
    char head[sizeof LANE_EXEC_VARIABLE];
    size_t len = read_bytes(reader, head, (uint64_t)entry, sizeof head);
    if (begins(head, len, "TRACEPARENT=")) {
        found->is_ours = true;
        if (!is_given_parent(reader, entry))
            found->keeps_parent = true;
    } else if (begins(head, len, "LD_PRELOAD=")) {
        look_preload(reader, entry, found);
    } else if (begins(head, len, "TRACESTATE=")) {
        found->has_state = true;
    } else if (begins(head, len, "BAGGAGE=")) {
        found->has_baggage = true;
    } else if (begins(head, len, LANE_EXEC_VARIABLE "=")) {
        found->has_time = true;
    }
}

bool exec_env_look(char *const *env, struct exec_env *found)
{
    struct reader reader = make_reader();
    char *chunk[CHUNK];
    *found = (struct exec_env){.count = 0};
    while (found->count < MOST) {
        size_t got = read_bytes(&reader, chunk, (uint64_t)(env + found->count),
                                sizeof chunk) /
                     sizeof *chunk;
        if (got == 0)
            return false;
        for (size_t i = 0; i < got; i++) {
            if (chunk[i] == NULL)
                return true;
            look_entry(&reader, chunk[i], found);
            found->count++;
        }
    }
    return false;
}

/* ---- editing ---------------------------------------------------------- */

static size_t put_hex(char *out, uint64_t value, unsigned digits)
{
    lane_assert(digits <= 16);
    for (unsigned i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[value >> (digits - 1 - i) * 4 & 15];
    return digits;
}

void exec_env_traceparent(struct span_place place, char out[EXEC_PARENT_BYTES])
{
    lane_assert(runtime.map.session != NULL);
    const struct lane_session *session = runtime.map.session;
    const struct lane_context *context = span_context_at(place.context);
    size_t at = put(out, EXEC_PARENT_BYTES, 0, "TRACEPARENT=00-");
    for (int i = 0; i < 16; i++)
        at += put_hex(out + at, context->trace_id[i], 2);
    out[at++] = '-';
    at += put_hex(out + at, lane_span_id(session->key, place.parent), 16);
    out[at++] = '-';
    at += put_hex(out + at, context->flags & 0xff, 2);
    out[at] = 0;
}

static bool is_us(const char *name, size_t len)
{
    size_t n = sizeof self_name - 1;
    return len >= n && begins(name + len - n, n, self_name) &&
           (len == n || name[len - n - 1] == '/');
}

bool exec_env_preload_is_there(const struct exec_env *found)
{
    struct reader reader = make_reader();
    char text[EXEC_PRELOAD_MAX];
    if (!found->preload)
        return true;
    struct read_part part =
        read_text(&reader, text, (uint64_t)found->preload, sizeof text - 1);
    text[part.len] = 0;
    for (size_t at = sizeof "LD_PRELOAD=" - 1; at < part.len; at++) {
        size_t end = at;
        while (end < part.len && text[end] != ':' && text[end] != ' ')
            end++;
        text[end] = 0;
        long rc = 0;
        if (text[at] == '/' && is_us(text + at, end - at))
            rc = machine_syscall(SYS_faccessat, AT_FDCWD, (long)(text + at),
                                 R_OK, 0, 0, 0);
        if (rc == -ENOENT || rc == -EACCES)
            return false;
        at = end;
    }
    return true;
}

/* LD_PRELOAD without us. NULL: nothing else was in it. */
static char *cut_preload(const struct reader *reader, const char *entry,
                         char out[EXEC_PRELOAD_MAX])
{
    lane_assert(entry != NULL);
    struct read_part part =
        read_text(reader, out, (uint64_t)entry, EXEC_PRELOAD_MAX - 1);
    size_t at = sizeof "LD_PRELOAD=" - 1, kept = at;
    while (at < part.len) {
        size_t end = at;
        while (end < part.len && out[end] != ':' && out[end] != ' ')
            end++;
        if (end > at && !is_us(out + at, end - at)) {
            if (kept > sizeof "LD_PRELOAD=" - 1)
                out[kept++] = ':';
            for (; at < end; at++)
                out[kept++] = out[at];
        }
        at = end + 1;
    }
    out[kept] = 0;
    return kept > sizeof "LD_PRELOAD=" - 1 ? out : NULL;
}

/* TRACESTATE is of the trace that came in; a [[root]] began another. */
static bool is_given_trace(struct span_place place)
{
    lane_assert(place.context <
                runtime.map.table[LANE_TABLE_CONTEXTS].capacity);
    const struct lane_context *contexts = runtime.map.contexts;
    uint8_t differ = 0;
    for (int i = 0; i < 16; i++)
        differ |= (uint8_t)(contexts[place.context].trace_id[i] ^
                            contexts[0].trace_id[i]);
    return differ == 0;
}

/* The entry to hand on instead; NULL: none. */
static char *edited(const struct reader *reader, char *entry,
                    const struct exec_env *found, bool is_given,
                    bool drop_preload, struct exec_texts *texts)
{
    lane_assert(!drop_preload || found->is_ours);
    char head[sizeof LANE_EXEC_VARIABLE];
    size_t len = read_bytes(reader, head, (uint64_t)entry, sizeof head);
    if (begins(head, len, LANE_EXEC_VARIABLE "="))
        return NULL;
    if (!found->keeps_parent &&
        (begins(head, len, "TRACEPARENT=") ||
         (!is_given && begins(head, len, "TRACESTATE="))))
        return NULL;
    if (drop_preload && entry == found->preload)
        return cut_preload(reader, entry, texts->preload);
    return entry;
}

bool exec_env_edit(char *const *env, const struct exec_env *found,
                   struct span_place place, bool drop_preload,
                   struct exec_texts *texts, char **out)
{
    struct reader reader = make_reader();
    bool is_given = is_given_trace(place);
    size_t n = 0;
    if (!found->keeps_parent) {
        exec_env_traceparent(place, texts->parent);
        out[n++] = texts->parent;
        if (is_given && !found->has_state && given_state[0])
            out[n++] = given_state;
        if (!found->has_baggage && given_baggage[0])
            out[n++] = given_baggage;
    }
    if (found->is_timed) {
        exec_time_hand_on(texts->time);
        out[n++] = texts->time;
    }
    for (uint64_t i = 0; i < found->count; i++) {
        char *entry;
        if (read_bytes(&reader, &entry, (uint64_t)(env + i), sizeof entry) !=
                sizeof entry ||
            entry == NULL)
            return false;
        entry = edited(&reader, entry, found, is_given, drop_preload, texts);
        if (entry)
            out[n++] = entry;
    }
    lane_assert(n < found->count + 6);
    out[n] = NULL;
    return true;
}
