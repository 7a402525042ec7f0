/* SPDX-License-Identifier: Apache-2.0 */
/* See notice.h. */
#include "tools/common/notice.h"
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

int notice_open(const char *dir, int kinds)
{
    uint32_t mask = (kinds & NOTICE_RENAMED ? IN_MOVED_TO : 0) |
                    (kinds & NOTICE_REMOVED ? IN_DELETE : 0);
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd >= 0 && inotify_add_watch(fd, dir, mask | IN_ONLYDIR) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_asked(const struct inotify_event *event,
                     const char *const *prefixes)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    for (; event->len > 0 && *prefixes; prefixes++)
        if (strncmp(event->name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

bool notice_take(int fd, const char *const *prefixes)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool any = false;
    ssize_t got;
    while (fd >= 0 && (got = read(fd, bytes, sizeof bytes)) > 0) {
        struct inotify_event event;
        for (ssize_t at = 0; at < got;
             at += (ssize_t)(sizeof event + event.len)) {
            const void *next = bytes + at;
            memcpy(&event, next, sizeof event);
            any |= is_asked(next, prefixes);
        }
    }
    return any;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void notice_wait(int fd, const char *const *prefixes, int64_t ms)
{
    int64_t end = now_ms() + ms, left;
    struct pollfd news = {.fd = fd, .events = POLLIN};
    while ((left = end - now_ms()) > 0)
        if (poll(&news, 1, (int)left) > 0 && notice_take(fd, prefixes))
            return;
}
