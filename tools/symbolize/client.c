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
    FAILURES_MAX = 10,
    WORKER_FD = 3,
    LENGTH_BYTES = 4, /* before each message */
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

/* The message under way may hold what a program had on its stack. */
static void forget(struct symbolize_client *c)
{
    if (c->bytes)
        memset(c->bytes, 0, c->len_bytes);
    free(c->bytes);
    c->bytes = NULL;
}

void symbolize_stop(struct symbolize_client *client)
{
    forget(client);
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

/* Some more bytes; -EINPROGRESS: none can be had now. */
static int move_some(struct symbolize_client *c)
{
    uint8_t *at = c->bytes + c->moved_bytes;
    size_t left = c->len_bytes - c->moved_bytes;
    ssize_t n = c->is_answer
                    ? recv(c->fd, at, left, MSG_DONTWAIT)
                    : send(c->fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return -EINPROGRESS;
    if (n <= 0)
        return -EPIPE;
    c->moved_bytes += (size_t)n;
    return 0;
}

/* A message is through: what comes next? 1: nothing, this is the answer. */
static int next_message(struct symbolize_client *c)
{
    uint32_t len;
    if (!c->is_answer) {
        forget(c);
        c->len_bytes = LENGTH_BYTES;
    } else {
        memcpy(&len, c->bytes, sizeof len);
        if (c->len_bytes == len + LENGTH_BYTES)
            return 1;
        if (len > SYMBOLIZE_ANSWER_MAX)
            return -EBADMSG;
        c->len_bytes = len + LENGTH_BYTES;
    }
    /* and a NUL */
    uint8_t *bytes = realloc(c->bytes, c->len_bytes + 1);
    if (!bytes)
        return -ENOMEM;
    if (!c->is_answer)
        c->moved_bytes = 0;
    c->bytes = bytes;
    c->is_answer = true;
    return 0;
}

static int exchange(struct symbolize_client *c)
{
    int rc = 0;
    while (rc == 0)
        rc = c->moved_bytes < c->len_bytes ? move_some(c) : next_message(c);
    if (rc == -EINPROGRESS && now_ms() >= c->until_ms)
        return -ETIMEDOUT;
    return rc;
}

int symbolize_begin(struct symbolize_client *client, const void *request,
                    size_t len_bytes)
{
    uint32_t len = (uint32_t)len_bytes;
    if (len_bytes > SYMBOLIZE_REQUEST_MAX)
        return -E2BIG;
    int rc = client->fd >= 0 ? 0 : start(client);
    if (rc != 0)
        return rc;
    client->bytes = malloc(len_bytes + LENGTH_BYTES);
    if (!client->bytes)
        return -ENOMEM;
    memcpy(client->bytes, &len, LENGTH_BYTES);
    memcpy(client->bytes + LENGTH_BYTES, request, len_bytes);
    client->len_bytes = len_bytes + LENGTH_BYTES;
    client->moved_bytes = 0;
    client->is_answer = false;
    client->until_ms =
        now_ms() + (client->patience_ms ? client->patience_ms : ANSWER_MS);
    return 0;
}

bool symbolize_is_busy(const struct symbolize_client *client)
{
    return client->bytes != NULL;
}

int symbolize_look(struct symbolize_client *client, char **answer)
{
    int rc = exchange(client);
    if (rc == -EINPROGRESS)
        return rc;
    if (rc < 0) {
        symbolize_stop(client);
        client->failures++;
        return rc;
    }
    char *text = (char *)client->bytes;
    size_t len = client->len_bytes - LENGTH_BYTES;
    client->bytes = NULL;
    client->failures = 0;
    memmove(text, text + LENGTH_BYTES, len);
    text[len] = 0;
    *answer = text;
    return 0;
}

int symbolize_ask(struct symbolize_client *client, const void *request,
                  size_t len_bytes, char **answer)
{
    int rc = symbolize_begin(client, request, len_bytes);
    while (rc == 0 && (rc = symbolize_look(client, answer)) == -EINPROGRESS) {
        int64_t left = client->until_ms - now_ms();
        struct pollfd wait = {
            .fd = client->fd,
            .events = client->is_answer ? POLLIN : POLLOUT,
        };
        (void)poll(&wait, 1, left > 0 ? (int)left : 0);
        rc = 0;
    }
    return rc;
}
