/* SPDX-License-Identifier: Apache-2.0 */
/* See health.h. */
#define _GNU_SOURCE
#include "tools/sidecar/health.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tools/common/config.h"
#include "tools/common/paths.h"
#include "tools/sidecar/store/log.h"
#include "lane/format/assert.h"

enum {
    TEXT_MAX = 1 << 20,
    CLIENT_MS = 50,
    BACKLOG = 8,
};
static const int64_t write_ns = 10000000000;

static int64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int listen_at(const char *where)
{
    char host[256];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found = NULL;
    const char *port;
    if (config_parse_listen(where, host, sizeof host, &port) < 0)
        return -EINVAL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -EADDRNOTAVAIL;
    int fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1, rc = fd < 0 ? -errno : fd;
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd >= 0 && (bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
                    listen(fd, BACKLOG) != 0)) {
        rc = -errno;
        close(fd);
    }
    freeaddrinfo(found);
    return rc;
}

void health_begin(struct health *h, const char *store)
{
    lane_assert(store != NULL);
    const char *where = config_get(CONFIG_METRICS_LISTEN);
    *h = (struct health){.store = store, .listen_fd = -1};
    if (!where || strcmp(where, "off") == 0)
        return;
    int fd = listen_at(where);
    if (fd < 0)
        log_line("no metrics at '%s': %s", where, strerror(-fd));
    else
        h->listen_fd = fd;
}

static void text(struct health *h, const struct metrics_sidecar *figures,
                 struct buf *out)
{
    lane_assert(h->store != NULL);
    buf_init(out, TEXT_MAX);
    if (metrics_text(h->store, figures, unix_ns(), out) != 0)
        buf_text(out, "# the store could not be read\n");
}

/* Written aside and renamed: node_exporter never sees half of it. */
static void write_file(struct health *h, const struct metrics_sidecar *figures)
{
    char aside[PATHS_MAX + 16];
    const char *path = config_get(CONFIG_METRICS_FILE);
    struct buf b;
    bool ok = false;
    if (!path)
        return;
    snprintf(aside, sizeof aside, "%s.new", path);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  0644);
    int why = errno; /* of open(); text() has calls of its own */
    if (fd >= 0) {
        text(h, figures, &b);
        errno = EIO; /* where less was written than there is */
        ok = write(fd, buf_get(&b), b.len_bytes) == (ssize_t)b.len_bytes &&
             /* no values in it; node_exporter is another user */
             fchmod(fd, 0644) == 0 && rename(aside, path) == 0;
        why = errno;
        buf_free(&b);
    }
    if (!ok)
        log_line("cannot write the metrics file '%s': %s", path, strerror(why));
    if (fd >= 0)
        close(fd);
}

static void answer(struct health *h, int fd,
                   const struct metrics_sidecar *figures)
{
    lane_assert(fd >= 0);
    char request[1024], head[160];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct buf b;
    if (poll(&ready, 1, CLIENT_MS) <= 0 ||
        recv(fd, request, sizeof request, MSG_DONTWAIT) <= 0)
        return;
    text(h, figures, &b);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.0 200 OK\r\nContent-Type: text/plain; "
                     "version=0.0.4\r\nContent-Length: %zu\r\n\r\n",
                     b.len_bytes);
    (void)!send(fd, head, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
    for (size_t at = 0; at < b.len_bytes;) {
        ssize_t sent = send(fd, b.text + at, b.len_bytes - at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        ready.events = POLLOUT;
        if (sent > 0)
            at += (size_t)sent;
        else if (errno != EAGAIN || poll(&ready, 1, CLIENT_MS) <= 0)
            break;
        lane_assert(at <= b.len_bytes);
    }
    (void)shutdown(fd, SHUT_WR);
    buf_free(&b);
}

void health_step(struct health *h, const struct metrics_sidecar *figures,
                 int64_t now_ns)
{
    lane_assert(h->store != NULL);
    int fd =
        h->listen_fd < 0 ? -1 : accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        answer(h, fd, figures);
        close(fd);
    }
    if (now_ns < h->write_at_ns)
        return;
    h->write_at_ns = now_ns + write_ns;
    write_file(h, figures);
}

void health_end(struct health *h, const struct metrics_sidecar *figures)
{
    write_file(h, figures);
    if (h->listen_fd >= 0)
        close(h->listen_fd);
    h->listen_fd = -1;
}
