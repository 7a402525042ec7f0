/* SPDX-License-Identifier: Apache-2.0 */
/* See said.h. */
#include "tools/sidecar/decode/said.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "lane/format/assert.h"

/* Behind the last `said` in it; NULL: not there. A thread may have lived
 * through others before. */
static const char *find_last(const char *text, const char *said)
{
    const char *at = NULL, *next = text ? strstr(text, said) : NULL;
    for (; next; next = strstr(at, said))
        at = next + strlen(said);
    return at;
}

/* "thread 'main' panicked at 'MESSAGE', app.rs:5:9", or, since Rust 1.73,
 * "... panicked at app.rs:5:9:" and the message on the next line. */
void said_panic(const char *text, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    const char *at = find_last(text, "panicked at ");
    if (!at)
        return;
    size_t len = strcspn(at, "\n");
    if (at[0] == '\'') {
        const char *end = strstr(++at, "', ");
        len = end ? (size_t)(end - at) : strcspn(at, "\n");
    } else if (at[len] == '\n') {
        at += len + 1;
        len = strcspn(at, "\n");
    }
    snprintf(out, cap_bytes, "%.*s", (int)len, at);
}

/* libstdc++: "... instance of 'TYPE'\n  what():  TEXT\n", and nothing more of
 * this thread. */
static void put_uncaught(const char *at, char *out, size_t cap_bytes)
{
    lane_assert(at != NULL && cap_bytes != 0);
    static const char what[] = "'\n  what():  ";
    size_t type = strcspn(at, "\n");
    if (type > 0 && at[type - 1] == '\'')
        type--;
    const char *text = at + type;
    bool is_told = strncmp(text, what, sizeof what - 1) == 0;
    text += is_told ? sizeof what - 1 : 0;
    size_t len = is_told ? strlen(text) : 0;
    while (len > 0 && text[len - 1] == '\n')
        len--;
    snprintf(out, cap_bytes, "uncaught %.*s%s%.*s", (int)type, at,
             len ? ": " : "", (int)len, text);
}

/* libc++: "libc++abi: terminating due to uncaught exception of type T: TEXT" */
static const char *find_terminating(const char *text)
{
    const char *at = find_last(text, "terminating due to uncaught exception of "
                                     "type ");
    return at ? at
              : find_last(text, "terminating with uncaught exception of type ");
}

/* Does what is told of a panic stand at the end? The thread may have lived
 * through it, and have said something else since then. */
static bool is_last(const char *text, const char *panic)
{
    size_t end = strlen(text);
    while (end > 0 && text[end - 1] == '\n')
        end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    const char *line = text + begin;
    return strncmp(line, "note: ", 6) == 0 || strstr(line, panic) != NULL;
}

void said_abort(const char *text, char *out, size_t cap_bytes)
{
    lane_assert(cap_bytes != 0);
    char panic[1024] = "";
    const char *at = find_last(text, "terminate called after throwing an "
                                     "instance of '");
    if (at) {
        put_uncaught(at, out, cap_bytes);
        return;
    }
    at = find_terminating(text);
    said_panic(text, panic, sizeof panic);
    if (at)
        snprintf(out, cap_bytes, "uncaught %.*s", (int)strcspn(at, "\n"), at);
    else if (panic[0] && is_last(text, panic))
        snprintf(out, cap_bytes, "panic: %s", panic);
}
