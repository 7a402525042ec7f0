/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for news of a directory is woken by what was asked for, and by
 * nothing else. A wait that nobody ends takes ten minutes here, so that one
 * that ends too late is none that passes.
 */
#include "tests/common/folder.h"
#include "tools/common/notice.h"
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[TEST_FOLDER_MAX];
static const char *const wanted[] = {"reaped-", "command-", NULL};

enum {
    NEVER_MS = 600000
};

static void need(bool is, const char *what)
{
    if (is)
        return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

static char *path_of(const char *name)
{
    static char path[2][TEST_FOLDER_MAX + 32];
    static unsigned turn;
    char *at = path[turn++ % 2];
    snprintf(at, sizeof path[0], "%s/%s", folder, name);
    return at;
}

static void make(const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT, 0600);
    need(fd >= 0, "a file can be made");
    close(fd);
}

static void put(const char *aside, const char *name)
{
    make(aside);
    need(rename(path_of(aside), path_of(name)) == 0, "a file can be renamed");
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int main(void)
{
    need(test_folder_make(folder, "notice"), "there is a folder");
    int fd = notice_open(folder, NOTICE_RENAMED | NOTICE_REMOVED);
    if (fd < 0) {
        puts("skipped: no inotify here");
        (void)rmdir(folder);
        return 77;
    }
    put(".aside", "other");
    make("reaped-1"); /* not whole, for all that we know */
    need(!notice_take(fd, wanted), "other news are none");
    int64_t start = now_ms();
    notice_wait(fd, wanted, 30);
    need(now_ms() - start >= 29,
         "without news it waits as long as it was told");
    pid_t child = fork();
    if (child == 0) {
        put(".aside", "other");
        put(".aside", "command-1");
        _exit(0);
    }
    notice_wait(fd, wanted, NEVER_MS);
    need(waitpid(child, NULL, 0) == child, "the child is there");
    need(unlink(path_of("reaped-1")) == 0, "a file can be removed");
    notice_wait(fd, wanted, NEVER_MS);
    need(!notice_take(fd, wanted), "each news is told once");
    notice_wait(-1, wanted, 1);
    close(fd);
    unlink(path_of("other"));
    unlink(path_of("command-1"));
    need(rmdir(folder) == 0, "nothing is left");
    return 0;
}
