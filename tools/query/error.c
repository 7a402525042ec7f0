/* SPDX-License-Identifier: Apache-2.0 */
/* An error of the store as one line for people; declared in tree.h. */
#include "tools/common/text/json.h"
#include "tools/query/frames.h"
#include "tools/query/tree.h"
#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ERRNO_MAX = 4095 /* what the kernel returns as -errno */
};

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring
                                                        : NULL;
}

/* On one line, whatever it has of its own. */
static void put_text(struct buf *b, const char *text)
{
    for (; *text; text++)
        buf_char(b, strchr("\n\r\t", *text) ? ' ' : *text);
}

static bool is_of_result(const char *rule)
{
    for (const char *at = rule; (at = strstr(at, "return")); at++)
        if ((at == rule || !isalnum((unsigned char)at[-1])) &&
            !isalnum((unsigned char)at[6]) && at[6] != '_')
            return true;
    return false;
}

/* "rule rc >= 400 with rc = 502" */
static void put_condition(const char *json, const cJSON *error,
                          const char *rule, struct buf *b)
{
    char part[4096], value[64];
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(error, "judged");
    bool is_first = true;
    buf_printf(b, "rule %s", rule);
    if (!json_member_text(json, "judged", part, sizeof part))
        return;
    for (item = item ? item->child : NULL; item; item = item->next)
        if (json_member_text(part, item->string, value, sizeof value)) {
            buf_printf(b, "%s%s = %s", is_first ? " with " : ", ", item->string,
                       value);
            is_first = false;
        }
}

/* Of 64 bits without a sign (a pointer, a size): a -1 there is written as who
 * debugs C knows it. */
static void put_result(const char *digits, struct buf *b)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    bool is_whole = digits[0] != '-' && errno == 0 && *end == 0;
    if (is_whole && value > UINT64_MAX - ERRNO_MAX)
        buf_printf(b, "return %s (%lld)", digits, (long long)value);
    else
        buf_printf(b, "return %s", digits);
}

static void put_rule(const char *json, const cJSON *error, struct buf *b)
{
    char value[64]; /* its digits as they stand: cJSON has doubles */
    const char *type = text_of(error, "type"), *rule = text_of(error, "rule");
    const char *message = text_of(error, "message");
    bool is_left = rule && strcmp(rule, "longjmp") == 0;
    bool is_told = json_member_text(json, "return_value", value, sizeof value);
    if (is_told && (!rule || is_left || is_of_result(rule)))
        put_result(value, b);
    else if (is_left)
        buf_text(b, "left by longjmp");
    else if (rule)
        put_condition(json, error, rule, b);
    else
        buf_text(b, "failed");
    if (type)
        buf_printf(b, " (%s)", type);
    if (message) {
        buf_text(b, ": ");
        put_text(b, message);
    }
}

static void put_other(const cJSON *error, bool is_signal, struct buf *b)
{
    const char *type = text_of(error, "type");
    const char *message = text_of(error, "message");
    const char *address = text_of(error, "fault_address");
    bool is_panic = type && strcmp(type, "panic") == 0;
    buf_printf(b, "%s%s", is_signal || is_panic ? "" : "exception ",
               type ? type : "?");
    if (message) {
        buf_text(b, ": ");
        put_text(b, message);
    }
    if (is_signal && address && strcmp(address, "0x0") != 0)
        buf_printf(b, " at %s", address);
    else if (is_signal && type && strcmp(type, "SIGSEGV") == 0)
        buf_text(b, " at 0x0");
}

/* "in load_csv at load.c:42", as far as it is known. Of a rule without a cause
 * there is only the stack above the handler, which has returned. */
static void put_place(const cJSON *error, bool is_rule, bool is_long,
                      struct buf *b)
{
    const cJSON *frames = cJSON_GetObjectItemCaseSensitive(error, "origin");
    const char *where = "in";
    if (cJSON_GetArraySize(frames) == 0) {
        frames = cJSON_GetObjectItemCaseSensitive(error, "stack");
        where = is_rule && !text_of(error, "left_by") ? "called from" : "in";
    }
    const cJSON *blamed = query_frame_to_blame(frames, where[0] == 'i');
    struct query_frame f = query_frame_read(blamed);
    if (!blamed || (!f.function && !f.file) ||
        (f.function && strcmp(f.function, "_start") == 0))
        return;
    bool has_line = f.file && f.line;
    if (is_long || !has_line || where[0] != 'i')
        buf_printf(b, ", %s %s%s", where, f.function ? f.function : "?",
                   has_line ? " at " : "");
    else
        buf_text(b, ", ");
    if (has_line)
        buf_printf(b, "%s:%d", query_base_name(f.file), f.line);
    else if (f.object)
        buf_printf(b, " of %s", query_base_name(f.object));
}

/* What the thread said about it, where no failing call explains it. */
static void put_stderr(const cJSON *error, struct buf *b)
{
    const char *text = text_of(error, "stderr");
    size_t len = text ? strcspn(text, "\n") : 0;
    if (len > 0)
        buf_printf(b, "; it wrote: %.*s", (int)(len < 400 ? len : 400), text);
}

/* By abort(), not by somebody's kill(), as far as that is known. */
static bool has_aborted(const cJSON *error)
{
    const char *type = text_of(error, "type");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "signal_code");
    return type && strcmp(type, "SIGABRT") == 0 &&
           (!cJSON_IsNumber(code) || code->valueint == SI_TKILL);
}

/* What stood there last before it aborted, where nothing better is known. */
static void put_last_words(const cJSON *error, struct buf *b)
{
    const char *text = text_of(error, "stderr");
    size_t end = text ? strlen(text) : 0, begin;
    while (end > 0 && strchr("\n\r\t ", text[end - 1]))
        end--;
    for (begin = end; begin > 0 && !strchr("\n\r", text[begin - 1]);)
        begin--;
    if (end > begin)
        buf_printf(b, "; it wrote: %.*s",
                   (int)(end - begin < 400 ? end - begin : 400), text + begin);
}

static bool complains(const char *line)
{
    static const char *const words[] = {
        "error",   "cannot",  "can't",     "could not", "couldn't",
        "fail",    "invalid", "no such",   "denied",    "not found",
        "unable",  "refused", "unrecogni", "unknown",   "not recogni",
        "missing", "fatal",   "not in ",   "not a ",    "does not"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(line, words[i]))
            return true;
    return false;
}

/* The line of a process's words that says what went wrong: the first with a
 * word of complaint behind a colon, as programs say such things, else with one
 * (it may be a line of the help), else the last one. */
static void put_complaint(const cJSON *error, struct buf *b)
{
    const char *text = text_of(error, "stderr");
    char chosen[512] = "", line[512];
    int rank = 0;
    for (const char *at = text; at && *at; at += strspn(at, "\n\r")) {
        size_t len = strcspn(at, "\n\r");
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        at += len;
        size_t word = strcspn(line, " ");
        bool is_prefixed = word > 0 && line[word - 1] == ':';
        int here = strspn(line, " \t") == strlen(line)     ? 0
                   : complains(line) && strstr(line, ": ") ? 3
                   : complains(line) || is_prefixed        ? 2
                                                           : 1;
        if (here > rank || (here == 1 && rank == 1)) {
            rank = here;
            snprintf(chosen, sizeof chosen, "%s", line);
        }
    }
    if (rank)
        buf_printf(b, "; it wrote: %.400s", chosen);
}

/* `exit 1, in load` */
static void put_ending(const cJSON *error, struct buf *b)
{
    const char *type = text_of(error, "type");
    const char *handler = text_of(error, "handler");
    buf_text(b, type ? type : "exit");
    if (handler)
        buf_printf(b, " in %s", handler);
}

/* `overdue("30s"): waiting in read(4)` */
static void put_overdue(const cJSON *error, struct buf *b)
{
    const char *rule = text_of(error, "rule");
    const char *message = text_of(error, "message");
    buf_text(b, rule ? rule : "overdue");
    if (message)
        buf_printf(b, ": %s", message);
}

void query_error_line(const char *error_json, bool is_long, struct buf *b)
{
    cJSON *error = cJSON_Parse(error_json);
    const char *kind = text_of(error, "kind");
    bool is_signal = kind && strcmp(kind, "signal") == 0;
    bool is_overdue = kind && strcmp(kind, "overdue") == 0;
    bool is_exit = kind && strcmp(kind, "exit") == 0;
    bool is_rule = !is_exit && !is_signal && !is_overdue &&
                   (!kind || strcmp(kind, "exception") != 0);
    if (is_overdue)
        put_overdue(error, b);
    else if (is_rule)
        put_rule(error_json, error, b);
    else if (is_exit)
        put_ending(error, b);
    else
        put_other(error, is_signal, b);
    const cJSON *cause = cJSON_GetObjectItemCaseSensitive(error, "cause");
    if (text_of(cause, "call")) {
        buf_text(b, "; first cause ");
        const char *type = text_of(error, "type");
        const char *name = text_of(cause, "error");
        bool is_said = !is_long && type && name && strcmp(type, name) == 0;
        query_cause_text(cause, is_said ? 0 : QUERY_CAUSE_ERROR, b);
    }
    put_place(error, is_rule, is_long, b);
    if (is_long && is_rule && !text_of(cause, "call"))
        put_stderr(error, b);
    else if (is_long && is_exit)
        put_complaint(error, b);
    else if (is_signal && has_aborted(error) && !text_of(error, "message"))
        put_last_words(error, b);
    cJSON_Delete(error);
}
