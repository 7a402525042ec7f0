/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan off, handspan on: a flag file in the directory, which programs
 * honour when they start, and the gate of the sessions that run, which closes
 * at once: of all, or of one process (struct lane_session).
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/launch/sessions.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct target {
    char dir[PATHS_MAX];
    uint32_t pid; /* 0: all */
    bool on;
};

static int set_flag(const struct target *t)
{
    char path[PATHS_MAX + 8];
    snprintf(path, sizeof path, "%s/off", t->dir);
    if (t->on) {
        if (unlink(path) < 0 && errno != ENOENT)
            return options_trouble("cannot remove '%s': %s", path,
                                   strerror(errno));
        return 0;
    }
    int fd = open(
        path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return options_trouble("cannot create '%s': %s", path, strerror(errno));
    close(fd);
    return 0;
}

/* All were off, or a library of an earlier version knows no process. */
static void print_beside(const struct target *t, const char *word)
{
    enum {
        SHOWN_MAX = 8
    };
    uint32_t pids[SHOWN_MAX];
    int count = sessions_beside(t->dir, t->pid, pids, SHOWN_MAX);
    if (count <= 0)
        return;
    printf("It shares its session with %d other process%s, of which recording "
           "is %s as well:",
           count, count == 1 ? "" : "es", word);
    for (int i = 0; i < count && i < SHOWN_MAX; i++)
        printf(" %u", pids[i]);
    puts(count > SHOWN_MAX ? " ..." : ".");
}

static int apply(const struct target *t)
{
    int status = t->pid ? 0 : set_flag(t);
    if (status)
        return status;
    bool is_alone;
    int changed = sessions_set_gate(t->dir, t->pid, t->on, &is_alone);
    if (changed < 0)
        return options_trouble("cannot reach all sessions in '%s': %s", t->dir,
                               strerror(-changed));
    const char *word = t->on ? "on" : "off";
    if (t->pid && changed) {
        printf("Process %u: recording is %s.\n", t->pid, word);
        if (!is_alone)
            print_beside(t, word);
    } else if (!t->pid)
        printf("Recording is %s: programs that start from now on, and %d "
               "running session%s.\n",
               word, changed, changed == 1 ? "" : "s");
    if (t->pid && changed == 0 && !t->on) {
        printf("No traced process %u runs here; see 'handspan status'.\n",
               t->pid);
        return EXIT_FOUND;
    }
    if (t->pid && changed == 0) {
        printf("No traced process %u runs here. One that was not traced from "
               "its start cannot be:\nstart it with 'handspan run'.\n",
               t->pid);
        return EXIT_FOUND;
    }
    return EXIT_FINE;
}

static int off_or_on(int argc, char **argv, bool on)
{
    const char *dir = NULL;
    bool all = false;
    const struct option_spec specs[] = {
        {"all", 0, OPTION_FLAG, NULL, "everything (the default)", &all},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept", &dir},
    };
    const struct options o = {
        .command = on ? "handspan on" : "handspan off",
        .operands = "[PID]",
        .about = on ? "Resume recording, of one process or of all."
                    : "Stop recording, of one process or of all: those "
                      "that run stop at once,\nothers do not begin. What was "
                      "recorded stays. What that process\nstarts or becomes by "
                      "exec is recorded.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    struct target t = {.on = on};
    if (operands && all)
        return options_trouble("either PID or --all");
    if (operands) {
        char *end;
        unsigned long pid = strtoul(argv[0], &end, 10);
        if (*end || end == argv[0] || pid == 0 || pid > INT32_MAX)
            return options_trouble("'%s' is not a process number", argv[0]);
        t.pid = (uint32_t)pid;
    }
    char why[2 * PATHS_MAX + 256];
    int fd = paths_take_dir(dir, t.dir, sizeof t.dir, why, sizeof why);
    if (fd < 0)
        return options_trouble("%s", why);
    close(fd);
    return apply(&t);
}

int cmd_off(int argc, char **argv)
{
    return off_or_on(argc, argv, false);
}

int cmd_on(int argc, char **argv)
{
    return off_or_on(argc, argv, true);
}
