/* SPDX-License-Identifier: Apache-2.0 */
/* The asking side: see symbolize.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tools/symbolize/symbolize.h"

enum {
    ANSWER_MS = 10000, /* large debug files are read once */
    FAILURES_MAX = 5,
    WORKER_FD = 3,
};

extern char **environ;

/* The same program as we are, on the other end of a socket as descriptor 3. */
static int start(struct symbolize_client *c)
{
    int pair[2];
    if (c->failures >= FAILURES_MAX)
        return -ECHILD;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    char *argv[] = {"handspan", "symbolize", "--worker", NULL};
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    pid_t pid = 0;
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, pair[1], WORKER_FD);
        if (rc == 0)
            rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv,
                             environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(pair[1]);
    if (rc != 0) {
        close(pair[0]);
        return -rc;
    }
    c->fd = pair[0];
    c->pid = pid;
    return 0;
}

void symbolize_stop(struct symbolize_client *client)
{
    if (client->fd < 0)
        return;
    close(client->fd);
    client->fd = -1;
    (void)kill(client->pid, SIGKILL);
    while (waitpid(client->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int receive(int fd, void *out, size_t len_bytes, int64_t until_ms)
{
    for (uint8_t *to = out; len_bytes > 0;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t n = recv(fd, to, len_bytes, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return -EPIPE;
        to += n;
        len_bytes -= (size_t)n;
    }
    return 0;
}

static int deliver(int fd, const void *bytes, size_t len_bytes,
                   int64_t until_ms)
{
    for (const uint8_t *from = bytes; len_bytes > 0;) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        int64_t left = until_ms - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t n = send(fd, from, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return -EPIPE;
        from += n;
        len_bytes -= (size_t)n;
    }
    return 0;
}

static int exchange(const struct symbolize_client *c, const void *request,
                    uint32_t len, char **answer)
{
    int64_t until = now_ms() + (c->patience_ms ? c->patience_ms : ANSWER_MS);
    int fd = c->fd;
    uint32_t got = 0;
    int rc = deliver(fd, &len, sizeof len, until);
    if (rc == 0)
        rc = deliver(fd, request, len, until);
    if (rc == 0)
        rc = receive(fd, &got, sizeof got, until);
    if (rc != 0)
        return rc;
    if (got > SYMBOLIZE_ANSWER_MAX)
        return -EBADMSG;
    char *text = malloc((size_t)got + 1);
    if (!text)
        return -ENOMEM;
    rc = receive(fd, text, got, until);
    text[got] = 0;
    if (rc != 0) {
        free(text);
        return rc;
    }
    *answer = text;
    return 0;
}

int symbolize_ask(struct symbolize_client *client, const void *request,
                  size_t len_bytes, char **answer)
{
    if (len_bytes > SYMBOLIZE_REQUEST_MAX)
        return -E2BIG;
    int rc = client->fd >= 0 ? 0 : start(client);
    if (rc != 0)
        return rc;
    rc = exchange(client, request, (uint32_t)len_bytes, answer);
    if (rc == 0) {
        client->failures = 0;
        return 0;
    }
    symbolize_stop(client);
    client->failures++;
    return rc;
}
