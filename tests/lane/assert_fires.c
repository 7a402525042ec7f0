/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions of a build with HANDSPAN_ASSERT do fire, and say which one: those
 * of lane, preload and sidecar, in a child each; without one there is none.
 *
 * usage: assert_fires
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lane/writer/writer.h"
#include "preload/settings/text.h"
#include "tools/sidecar/store/pending.h"

static void lane_wrong(void)
{
    static uint8_t line[LANE_LINE];
    struct lane_window window = {.index = LANE_MAX};
    lane_commit(&window, line, LANE_FIRST_POSITION, LANE_ITEM_RECORD);
}

static void lane_right(void)
{
    static uint8_t line[LANE_LINE];
    struct lane_window window = {.index = LANE_MAX - 1};
    lane_commit(&window, line, LANE_FIRST_POSITION, LANE_ITEM_RECORD);
}

/* More in it than it holds. */
static void preload_wrong(void)
{
    char bytes[4];
    struct text text = {bytes, 5, sizeof bytes};
    text_put_bytes(&text, "x", 1);
}

static void preload_right(void)
{
    char bytes[4];
    struct text text = {bytes, 0, sizeof bytes};
    text_put_bytes(&text, "more than fits", 14);
}

/* Dropped twice. */
static void sidecar_wrong(void)
{
    struct pending_map map = {0};
    if (pending_init(&map) != 0 || !pending_get(&map, 1))
        _exit(2);
    struct pending *p = pending_get(&map, 1);
    pending_drop(&map, p);
    pending_drop(&map, p);
}

static void sidecar_right(void)
{
    struct pending_map map = {0};
    if (pending_init(&map) != 0 || !pending_get(&map, 1))
        _exit(2);
    pending_drop(&map, pending_get(&map, 1));
    pending_free(&map);
}

static const struct {
    const char *name;
    void (*run)(void);
    const char *says; /* NULL: nothing fails */
} cases[] = {
    {"lane", lane_right, NULL},       {"lane", lane_wrong, "lane/writer/writer.h:"},
    {"preload", preload_right, NULL}, {"preload", preload_wrong, "text.c:"},
    {"sidecar", sidecar_right, NULL}, {"sidecar", sidecar_wrong, "pending.c:"},
};

/* In a child; its wait status, and what it wrote to stderr. */
static int in_child(void (*run)(void), char *said, size_t cap_bytes)
{
    int pipe_fd[2], status = -1;
    if (pipe(pipe_fd) != 0)
        exit(2);
    pid_t child = fork();
    if (child == 0) {
        static const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        dup2(pipe_fd[1], 2);
        run();
        _exit(0);
    }
    close(pipe_fd[1]);
    ssize_t len = read(pipe_fd[0], said, cap_bytes - 1);
    said[len > 0 ? len : 0] = 0;
    close(pipe_fd[0]);
    return waitpid(child, &status, 0) == child ? status : -1;
}

int main(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[1024];
        int status = in_child(cases[i].run, said, sizeof said);
        bool ok = cases[i].says
                      ? WIFSIGNALED(status) && WTERMSIG(status) == SIGILL &&
                            strstr(said, cases[i].says)
                      : status == 0 && said[0] == 0;
        if (!ok)
            printf("%s %zu: status %x, '%s'\n", cases[i].name, i, status, said);
        bad += !ok;
    }
    return bad != 0;
}
