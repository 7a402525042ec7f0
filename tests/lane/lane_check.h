/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the lane share: a session in a directory of its own, and a
 * child that is stopped after each instruction. One thread, one session.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lane/keeper/keeper.h"
#include "lane/writer/writer.h"
#include "tests/common/folder.h"

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x,  \
                    errno);                                                    \
            test_session_remove();                                             \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

static const char test_name[] = "session-test";
static char test_path[TEST_FOLDER_MAX];
static const char *test_made; /* NULL: nothing to remove */
static int test_dir = -1;
static struct lane_map map;

static inline void test_session_remove(void)
{
    if (!test_made)
        return;
    (void)unlinkat(test_dir, test_name, 0);
    (void)rmdir(test_made);
    test_made = NULL;
}

static inline void test_directory_make(void)
{
    test_made = test_folder_make(test_path, "lane-test");
    CHECK(test_made);
    test_dir = open(test_made, O_RDONLY | O_DIRECTORY);
    CHECK(test_dir >= 0);
}

static inline void test_session_make(uint32_t lanes, uint32_t units)
{
    struct lane_config config = {
        .lane_count = lanes, .unit_count = units, .clock = LANE_CLOCK_TSC};
    CHECK(lane_session_create(test_dir, test_name, &config, &map) == 0);
    __atomic_store_n(&map.session->ready, 1, __ATOMIC_RELEASE);
}

static inline void test_session_end(void)
{
    CHECK(unlinkat(test_dir, test_name, 0) == 0);
    CHECK(munmap(map.base, map.len_bytes) == 0);
}

/* Run `what(with)` in a child that stops before its first instruction. */
static inline pid_t stepped_start(void (*what)(void *), void *with)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        test_made = NULL; /* the parent's */
        CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        raise(SIGSTOP);
        what(with);
        _exit(0);
    }
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSTOPPED(status));
    return child;
}

/* Let it do `steps` instructions. False: it had come to its end. */
static inline bool stepped_go(pid_t child, long steps)
{
    int status = 0x7f;
    for (long i = 0; i < steps; i++) {
        CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        CHECK(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status)) {
            CHECK(status == 0);
            return false;
        }
    }
    return true;
}

static inline void stepped_finish(pid_t child)
{
    int status;
    CHECK(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

static inline void stepped_kill(pid_t child)
{
    int status;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
}
