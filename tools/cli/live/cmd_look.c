/* SPDX-License-Identifier: Apache-2.0 */
/* handspan look: where each thread of a process is now, traced or not. */
#include "tools/cli/live/cmd_live.h"
#include "tools/cli/live/live.h"
#include "tools/cli/screen/error_screen.h"
#include "tools/common/options.h"
#include "tools/common/text/json.h"
#include "tools/common/text/text.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES = 20, /* of a stack, without --all */
};

/* ---- for people ---------------------------------------------------------- */

static void print_head(const struct term *term, const struct live *l)
{
    struct term_line line;
    term_line_init(&line, term);
    term_line_text(&line, TERM_BOLD, l->name, 32);
    term_line_printf(&line, TERM_PLAIN, "  pid %d  %zu thread%s%s", l->pid,
                     l->thread_count, l->thread_count == 1 ? "" : "s",
                     l->is_traced ? "  traced" : "");
    if (l->program[0]) {
        term_line_text(&line, TERM_DIM, "  ", -1);
        int room = term->width - line.column;
        term_line_text(&line, TERM_DIM, l->program, room > 20 ? room : 20);
    }
    term_line_end(&line);
    term_line_free(&line);
}

/* "Deadlock: a (12) waits for a mutex that b (13) holds, b for one that a
 * holds." */
static void print_deadlock(const struct term *term, const struct live *l)
{
    int first = live_deadlock(l), at = first;
    struct buf text;
    if (first < 0)
        return;
    buf_init(&text, 1 << 16);
    buf_text(&text, "Deadlock: ");
    do {
        const struct live_thread *t = &l->thread[at];
        const struct live_thread *holder = &l->thread[t->holder];
        buf_text(&text, at == first ? "" : ", ");
        text_escape(&text, t->name);
        buf_printf(&text, " (%d) waits for a mutex that ", t->tid);
        text_escape(&text, holder->name);
        buf_printf(&text, " (%d) holds", holder->tid);
        at = t->holder;
    } while (at != first);
    buf_char(&text, '.');
    term_wrap(term, TERM_RED, buf_get(&text), 2);
    buf_free(&text);
}

/* The innermost frames; what is left out is said. */
static void print_stack(const struct term *term, const struct live_thread *t,
                        bool all)
{
    int count = cJSON_GetArraySize(t->frames);
    cJSON *cut = all || count <= FRAMES ? NULL : cJSON_Duplicate(t->frames, 1);
    while (cut && cJSON_GetArraySize(cut) > FRAMES)
        cJSON_DeleteItemFromArray(cut, FRAMES);
    error_screen_frames(term, cut ? cut : t->frames, cut ? NULL : t->ended);
    if (cut)
        printf("    and %d more (--all)\n", count - FRAMES);
    cJSON_Delete(cut);
}

static void print_thread(const struct term *term, const struct live_thread *t,
                         bool all)
{
    struct term_line line;
    term_line_init(&line, term);
    putc('\n', stdout);
    term_line_printf(&line, TERM_PLAIN, "%-7d ", t->tid);
    term_line_text(&line, TERM_BOLD, t->name, 24);
    term_line_text(&line, TERM_PLAIN, "  ", -1);
    term_line_wrap(&line, t->lock ? TERM_YELLOW : TERM_PLAIN,
                   t->place[0] ? t->place : "its state is not known", 10);
    term_line_end(&line);
    term_line_free(&line);
    if (cJSON_GetArraySize(t->frames) > 0)
        print_stack(term, t, all);
    else
        printf("    its stack is %s\n", t->ended ? t->ended : "not known");
}

static void print_text(const struct live *l, bool all)
{
    struct term term;
    bool is_running = false;
    term_detect(&term, stdout);
    print_head(&term, l);
    print_deadlock(&term, l);
    for (size_t i = 0; i < l->thread_count; i++) {
        const struct live_thread *t = &l->thread[i];
        print_thread(&term, t, all);
        is_running |= !t->frames && strcmp(t->place, "running") == 0;
    }
    if (l->left_out)
        printf("\n%zu more threads were left out.\n", l->left_out);
    if (is_running)
        term_wrap(&term, TERM_DIM,
                  "A thread that runs has a place only if it is stopped for a "
                  "moment: --stop.",
                  0);
}

/* ---- for programs -------------------------------------------------------- */

static int print_json(const struct live *l)
{
    int err = 0;
    json_print_schema(stdout);
    for (size_t i = 0; i < l->thread_count && !err; i++) {
        const struct live_thread *t = &l->thread[i];
        bool is_held = t->holder >= 0;
        char *frames = t->frames ? cJSON_PrintUnformatted(t->frames) : NULL;
        struct cJSON *o = json_object();
        json_int(o, "pid", l->pid);
        json_text(o, "program", l->program[0] ? l->program : NULL);
        json_int(o, "tid", t->tid);
        json_text(o, "thread_name", t->name);
        json_text(o, "where", t->place[0] ? t->place : NULL);
        json_id(o, "lock", t->lock);
        json_count(o, "held_by", is_held ? l->thread[t->holder].tid : -1);
        json_raw(o, "stack", frames, "[]");
        json_text(o, "stack_ended", t->ended);
        err = json_print(stdout, o);
        free(frames);
    }
    return err;
}

/* ---- the command --------------------------------------------------------- */

struct how {
    bool json, may_stop, all;
};

static int look(int32_t pid, const struct how *how)
{
    struct live l;
    char why[512] = "";
    int err = live_open(pid, &l, why, sizeof why);
    if (err) {
        options_trouble("%s", why);
        return err == -ESRCH ? EXIT_FOUND : EXIT_TROUBLE;
    }
    err = live_look(&l, how->may_stop);
    if (!err && how->json)
        err = print_json(&l);
    else if (!err)
        print_text(&l, how->all);
    live_close(&l);
    return err ? options_trouble("process %d: %s", pid, strerror(-err))
               : EXIT_FINE;
}

int cmd_look(int argc, char **argv)
{
    struct how how = {0};
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &how.json},
        {"all", 'a', OPTION_FLAG, NULL, "all frames of a stack", &how.all},
        {"stop", 0, OPTION_FLAG, NULL,
         "stop threads that run for a moment, to see where", &how.may_stop},
    };
    const struct options o = {
        .command = "handspan look",
        .operands = "PID",
        .about =
            "Where each thread of a process is now, traced or not: its stack "
            "by name and\nline, what it waits for, and who holds the mutex. "
            "Threads that wait are read\nwithout a stop. Exit status 1: there "
            "is no such process.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_min = 1,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    char *end;
    errno = 0;
    long pid = strtol(argv[0], &end, 10);
    if (errno || *end || end == argv[0] || pid <= 0 || pid > INT32_MAX)
        return options_trouble("'%s' is not a process id", argv[0]);
    return look((int32_t)pid, &how);
}
