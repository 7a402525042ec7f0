/* SPDX-License-Identifier: Apache-2.0 */
/* See error_screen.h. */
#include "tools/cli/screen/error_screen.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/query/detail.h"
#include "tools/query/frames.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL = 11, /* columns of "Input      " */
    FUNCTION = 8,
};

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsString(item) && item->valuestring[0] ? item->valuestring
                                                        : NULL;
}

void error_screen_title(const struct query_group *g, struct buf *b)
{
    if (g->rule)
        buf_text(b, g->rule);
    else if (g->kind && strcmp(g->kind, "exception") == 0 &&
             !(g->type && strcmp(g->type, "panic") == 0))
        buf_text(b, "exception");
    const char *space = b->len_bytes ? " " : "";
    if (g->rule && g->type)
        buf_printf(b, "%s(%s)", space, g->type);
    else if (g->type)
        buf_printf(b, "%s%s", space, g->type);
}

/* ---- frames -------------------------------------------------------------- */

static void print_place(const struct query_frame *f, struct buf *b)
{
    if (f->file && f->line)
        buf_printf(b, "%s:%d", query_base_name(f->file), f->line);
    else
        buf_text(b, "?");
}

/* What a person should know of the frame beyond its name. */
static void print_note(struct term_line *l, const struct query_frame *f)
{
    if (f->inlined)
        term_line_printf(l, TERM_DIM, "   inlined");
    if (f->handler && f->function && strcmp(f->handler, f->function) != 0)
        term_line_printf(l, TERM_CYAN, "   handler \"%s\"", f->handler);
    else if (f->handler)
        term_line_printf(l, TERM_CYAN, "   handler");
    if (f->is_guess)
        term_line_printf(l, TERM_YELLOW, "   guess");
    if (f->trouble)
        term_line_printf(l, TERM_YELLOW, "   %s", f->trouble);
    else if (!f->file && !f->inlined && f->build_id && !f->has_debug)
        term_line_printf(l, TERM_DIM, "   no debug file %.6s", f->build_id);
}

/* `path = "/x", n = 1`, arguments and then locals. */
static void print_variables(struct term_line *l, const cJSON *frame)
{
    static const char *const keys[] = {"arguments", "locals"};
    struct buf b;
    const cJSON *item;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(
                                     frame, keys[i])) if (cJSON_IsString(item))
            buf_printf(&b, "%s%s = %s", b.len_bytes ? ", " : "", item->string,
                       item->valuestring);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "values_cut")))
        buf_text(&b, b.len_bytes ? ", ..." : "...");
    if (b.len_bytes) {
        term_line_pad(l, 8);
        term_line_wrap(l, TERM_DIM, buf_get(&b), 10);
        term_line_end(l);
    }
    buf_free(&b);
}

static int widest(const cJSON *frames, int most)
{
    int width = FUNCTION;
    const cJSON *item;
    cJSON_ArrayForEach(item, frames)
    {
        struct query_frame f = query_frame_read(item);
        int columns = f.function ? (int)strlen(f.function) : 1;
        width = columns > width ? columns : width;
    }
    return width < most ? width : most;
}

void error_screen_frames(const struct term *t, const cJSON *frames,
                         const char *ended)
{
    struct term_line l;
    const cJSON *item;
    int number = 0,
        width = widest(frames, t->is_narrow ? t->width * 3 / 8 : INT_MAX);
    term_line_init(&l, t);
    cJSON_ArrayForEach(item, frames)
    {
        struct query_frame f = query_frame_read(item);
        struct buf place;
        buf_init(&place, 4096);
        print_place(&f, &place);
        term_line_printf(&l, TERM_DIM, "    #%-2d ", number++);
        term_line_text(&l, TERM_PLAIN, f.function ? f.function : "?", width);
        term_line_pad(&l, 8 + width + 2);
        term_line_text(&l, TERM_PLAIN, buf_get(&place), 24);
        term_line_pad(&l, 8 + width + 2 + 15);
        term_line_printf(&l, TERM_DIM, " %s+%s",
                         f.object ? query_base_name(f.object) : "",
                         f.offset ? f.offset : "?");
        print_note(&l, &f);
        term_line_end(&l);
        print_variables(&l, item);
        buf_free(&place);
    }
    if (ended) {
        term_line_printf(&l, TERM_YELLOW, "    the stack is %s above", ended);
        term_line_end(&l);
    }
    term_line_free(&l);
}

/* ---- parts --------------------------------------------------------------- */

static void print_title(const struct term *t, const char *title)
{
    struct term_line l;
    term_line_init(&l, t);
    term_line_text(&l, TERM_BOLD, title, -1);
    term_line_end(&l);
    term_line_free(&l);
}

static void print_labelled(const struct term *t, const char *label,
                           const char *text)
{
    struct term_line l;
    term_line_init(&l, t);
    term_line_text(&l, TERM_BOLD, label, -1);
    term_line_pad(&l, LABEL);
    term_line_wrap(&l, TERM_PLAIN, text, LABEL);
    term_line_end(&l);
    term_line_free(&l);
}

/* Each line of a text on lines of its own. */
static void print_lines(const struct term *t, const char *label,
                        const char *text)
{
    char *copy = text ? strdup(text) : NULL, *rest = NULL;
    for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        print_labelled(t, label, line);
        label = "";
    }
    free(copy);
}

/* {"path": "/x", "n": 1} as `path = "/x", n = 1`. */
static void print_values(const struct term *t, const char *label,
                         const char *json)
{
    cJSON *values = json ? cJSON_Parse(json) : NULL;
    const cJSON *item;
    struct buf b;
    buf_init(&b, 1 << 17);
    cJSON_ArrayForEach(item, values)
    {
        int len;
        const char *raw = json_member(json, item->string, &len);
        buf_printf(&b, "%s%s = ", b.len_bytes ? ", " : "", item->string);
        if (raw)
            buf_add(&b, raw, (size_t)len);
        else
            buf_text(&b, "null");
    }
    if (b.len_bytes)
        print_labelled(t, label, buf_get(&b));
    buf_free(&b);
    cJSON_Delete(values);
}

static const char *signal_code(int signal, int code)
{
    static const struct {
        int signal, code;
        const char *text;
    } known[] = {
        {SIGSEGV, SEGV_MAPERR, "nothing is mapped there"},
        {SIGSEGV, SEGV_ACCERR, "the mapping does not allow it"},
        {SIGBUS, BUS_ADRALN, "misaligned"},
        {SIGBUS, BUS_ADRERR, "the file behind the mapping ends before it"},
        {SIGFPE, FPE_INTDIV, "integer division by zero"},
        {SIGFPE, FPE_INTOVF, "integer overflow"},
        {SIGILL, ILL_ILLOPN, "illegal instruction"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].signal == signal && known[i].code == code)
            return known[i].text;
    return code <= 0 ? "sent by a process" : NULL;
}

static void print_signal(const struct term *t, const cJSON *error)
{
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "signal_code");
    const char *type = text_of(error, "type");
    const char *address = text_of(error, "fault_address");
    int number = 0;
    for (int i = 1; type && i < 32; i++)
        if (sigabbrev_np(i) && strcmp(type + 3, sigabbrev_np(i)) == 0)
            number = i;
    if (!number || !cJSON_IsNumber(code))
        return;
    const char *why = signal_code(number, code->valueint);
    char text[160];
    snprintf(text, sizeof text, "%s (%s)%s%s%s%s", type, sigdescr_np(number),
             code->valueint > 0 ? ", address " : "",
             code->valueint > 0 && address ? address : "", why ? ": " : "",
             why ? why : "");
    print_labelled(t, "Signal", text);
}

static void print_stacks(const struct term *t, const cJSON *error)
{
    const cJSON *cause = cJSON_GetObjectItemCaseSensitive(error, "cause");
    const cJSON *origin = cJSON_GetObjectItemCaseSensitive(error, "origin");
    const cJSON *stack = cJSON_GetObjectItemCaseSensitive(error, "stack");
    const char *kind = text_of(error, "kind");
    bool is_exception = kind && strcmp(kind, "exception") == 0;
    bool is_exit = kind && strcmp(kind, "exit") == 0;
    if (text_of(cause, "call")) {
        struct term_line l;
        struct buf b;
        buf_init(&b, 8192);
        query_cause_text(cause,
                         QUERY_CAUSE_ERROR | QUERY_CAUSE_WORDS |
                             QUERY_CAUSE_ALL_ARGUMENTS,
                         &b);
        print_title(t, "First cause");
        term_line_init(&l, t);
        term_line_pad(&l, 2);
        term_line_wrap(&l, TERM_RED, buf_get(&b), 4);
        term_line_end(&l);
        term_line_free(&l);
        buf_free(&b);
    } else if (is_exception && cJSON_GetArraySize(origin) > 0) {
        print_title(t, "Thrown");
    }
    if (cJSON_GetArraySize(origin) > 0)
        error_screen_frames(t, origin, text_of(error, "origin_ended"));
    bool is_rule = kind && strcmp(kind, "rule") == 0;
    bool is_in_origin = is_rule && cJSON_GetArraySize(origin) > 0 &&
                        !text_of(error, "origin_ended");
    if (cJSON_GetArraySize(stack) > 0 && !is_in_origin) {
        bool is_signal = kind && strcmp(kind, "signal") == 0;
        bool is_overdue = kind && strcmp(kind, "overdue") == 0;
        bool is_left = text_of(error, "left_by") != NULL;
        print_title(t, is_signal      ? "Where"
                       : is_left      ? "Left by longjmp"
                       : is_overdue   ? "Where it was"
                       : is_exit      ? "Where it ended"
                       : is_exception ? "Where it passed"
                                      : "Called from");
        error_screen_frames(t, stack, text_of(error, "stack_ended"));
    }
}

static void print_example(const struct term *t, const char *trace,
                          uint64_t span_id)
{
    char text[160];
    snprintf(text, sizeof text, "trace %.8s span %08llx: handspan show %.8s",
             trace, (unsigned long long)(span_id >> 32), trace);
    print_labelled(t, "Example", text);
}

static void print_head(const struct term *t, const struct query_group *g,
                       const char *short_id, int64_t count, int64_t calls)
{
    struct buf b;
    char where[128];
    buf_init(&b, 4096);
    buf_printf(&b, "%s: ", g->handler ? g->handler : "?");
    error_screen_title(g, &b);
    if (count > 0 && calls > 0)
        buf_printf(&b, ", %s of %s calls in this trace",
                   format_count(count).text, format_count(calls).text);
    struct term_line l;
    term_line_init(&l, t);
    term_line_text(&l, TERM_YELLOW, short_id, -1);
    term_line_printf(&l, TERM_PLAIN, "  ");
    term_line_wrap(&l, TERM_BOLD, buf_get(&b), 6);
    term_line_end(&l);
    term_line_free(&l);
    buf_free(&b);
    snprintf(where, sizeof where, "%s in %s trace%s",
             format_count(g->count).text, format_count(g->traces).text,
             g->traces == 1 ? "" : "s");
    fprintf(t->out, "      first %s   last %s   %s\n",
            format_time_short(g->first_unix_ns).text,
            format_time_short(g->last_unix_ns).text, where);
}

/* ---- what was overdue ---------------------------------------------------- */

static void print_overdue(const struct term *t, const cJSON *error,
                          const struct query_example *e)
{
    const char *message = text_of(error, "message");
    const char *kernel = text_of(error, "kernel_function");
    const char *ended = text_of(error, "stack_ended");
    struct buf b;
    buf_init(&b, 1024);
    buf_printf(&b, "%s%s%s%s", message ? message : "not known",
               kernel ? ", kernel: " : "", kernel ? kernel : "",
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(error, "stopped"))
                   ? " (stopped for the look)"
                   : "");
    print_labelled(t, "Thread", buf_get(&b));
    buf_free(&b);
    if (!cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(error, "stack")) &&
        ended)
        print_labelled(t, "Stack", ended);
    if (e->duration_ns >= 0)
        print_labelled(t, "Ended",
                       format_duration(e->duration_ns, t->utf8).text);
    else
        print_labelled(t, "Ended",
                       e->status && strcmp(e->status, "open") == 0
                           ? "not yet"
                           : "its end is not known");
}

/* Why something is missing that would stand here. */
static void print_withheld(const struct term *t, const char *label,
                           const cJSON *error)
{
    char text[512];
    const char *reason = text_of(error, "withheld");
    if (!reason)
        return;
    snprintf(text, sizeof text, "withheld: %s", reason);
    print_labelled(t, label, text);
}

static bool is_exception(const cJSON *error)
{
    const char *kind = text_of(error, "kind");
    return kind && strcmp(kind, "exception") == 0;
}

/* ---- a handler's --------------------------------------------------------- */

static int print_call(const struct view *v, const struct query_group *g,
                      const char *short_id)
{
    const struct term *t = &v->term;
    struct query_example e = {0};
    int found = query_example_load(v->db, g, &e);
    if (found < 0)
        return found;
    print_head(t, g, short_id, e.count, e.calls);
    if (found == 0) {
        fputs("      its calls are not in the store any more\n", t->out);
        return 0;
    }
    cJSON *error = e.error ? cJSON_Parse(e.error) : NULL;
    const char *message = text_of(error, "message");
    if (query_group_is_overdue(g))
        print_overdue(t, error, &e);
    else if (message)
        print_labelled(t, "Message", message);
    else if (is_exception(error))
        print_withheld(t, "Message", error);
    print_signal(t, error);
    print_stacks(t, error);
    if (e.path)
        print_labelled(t, "Under", e.path);
    print_values(t, "Input", e.input);
    print_values(t, "Output", e.output);
    print_values(t, "With", e.attributes);
    print_lines(t, "Stderr", text_of(error, "stderr"));
    if (!text_of(error, "stderr"))
        print_withheld(t, "Stderr", error);
    print_example(t, e.trace, e.span_id);
    cJSON_Delete(error);
    query_example_free(&e);
    return 0;
}

/* ---- a process's --------------------------------------------------------- */

struct ends {
    const struct term *term;
    char trace[33];
    int64_t pid;
    int count;
    bool is_told; /* its command */
};

static void put_open(void *context, const struct query_open *o)
{
    struct ends *ends = context;
    if (!ends->is_told && o->command) {
        struct buf command;
        buf_init(&command, 4096);
        query_command_line(o->command, 0, &command);
        print_labelled(ends->term, "Command", buf_get(&command));
        buf_free(&command);
        ends->is_told = true;
    }
    memcpy(ends->trace, o->trace, sizeof ends->trace);
    ends->pid = o->pid;
    if (!o->path)
        return;
    ends->count++;
    print_labelled(ends->term, "Open", o->path);
    print_values(ends->term, "  input", o->input);
}

/* The call that it ended in: its path if it is in the store, else its name. */
static void print_innermost(const struct view *v, const struct query_group *g,
                            const cJSON *error)
{
    char digits[32];
    struct query_example e = {0};
    struct query_group call = {.session = g->session};
    if (json_member_text(g->error, "ref", digits, sizeof digits))
        call.ref = strtoll(digits, NULL, 10);
    if (call.ref && query_example_load(v->db, &call, &e) > 0 && e.path) {
        print_labelled(&v->term, "Open", e.path);
        print_values(&v->term, "  input", e.input);
    } else {
        print_labelled(&v->term, "Open", text_of(error, "handler"));
    }
    query_example_free(&e);
}

static int print_process(const struct view *v, const struct query_group *g,
                         const char *short_id)
{
    static const struct {
        const char *source, *text;
    } sources[] = {{"marker", "the process itself"},
                   {"reaper", "who waited for it"},
                   {"pidfd", "the kernel (pidfd)"},
                   {"parent", "its parent, which waited for it"}};
    struct ends ends = {.term = &v->term};
    cJSON *error = g->error ? cJSON_Parse(g->error) : NULL;
    print_head(&v->term, g, short_id, 0, 0);
    int err = query_open_spans(v->db, g->session, g->ref, put_open, &ends);
    if (!err && !ends.count && text_of(error, "handler"))
        print_innermost(v, g, error);
    else if (!err && !ends.count)
        print_labelled(&v->term, "Open", "no handler was open when it ended");
    print_signal(&v->term, error);
    print_stacks(&v->term, error);
    print_lines(&v->term, "Stderr", text_of(error, "stderr"));
    if (error && !text_of(error, "stderr"))
        print_withheld(&v->term, "Stderr", error);
    cJSON_Delete(error);
    const char *source = "nobody: the cause is not known";
    for (size_t i = 0; g->end_source && i < sizeof sources / sizeof *sources;
         i++)
        if (strcmp(g->end_source, sources[i].source) == 0)
            source = sources[i].text;
    print_labelled(&v->term, "Told by", source);
    char text[128];
    snprintf(text, sizeof text, "trace %.8s pid %lld: handspan show %.8s",
             ends.trace, (long long)ends.pid, ends.trace);
    print_labelled(&v->term, "Example", text);
    return err;
}

int error_screen_print(const struct view *v, const struct query_group *g,
                       const char *short_id)
{
    return g->is_process ? print_process(v, g, short_id)
                         : print_call(v, g, short_id);
}
