/* SPDX-License-Identifier: Apache-2.0 */
/* libevent: descriptors, timers (once, again and again, added anew), one-shot
 * events, activated ones, bufferevents. The loop runs inside of a step. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "step.h"

enum {
    ITEMS = 40
};
/* what libevent.manifest says of them */
_Static_assert(offsetof(struct event, ev_evcallback.evcb_cb_union) == 24 &&
                   offsetof(struct event, ev_fd) == 56 &&
                   offsetof(struct event, ev_events) == 104,
               "libevent's own layout");
static struct event_base *base;

struct work {
    struct event *event;
    long parent, left;
    int fds[2];
};
static struct work *work_of(long parent, long left)
{
    struct work *work = malloc(sizeof *work);
    *work = (struct work){NULL, parent, left, {-1, -1}};
    return work;
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
    struct work *work = data;
    (void)fd;
    (void)what;
    step_for(work->parent, NULL, NULL);
    if (--work->left > 0)
        return;
    event_free(work->event);
    free(work);
}
static void add_timer(long id, void *data)
{
    struct work *work = work_of(id, data ? 3 : 1);
    struct timeval time = {0, 1000 * (id % 3)};
    work->event = event_new(base, -1, data ? EV_PERSIST : 0, on_timer, work);
    event_add(work->event, &time);
}

/* Its time is set anew by who is called by it. */
static void on_chain(evutil_socket_t fd, short what, void *data);
static void chain_on(long id, void *data)
{
    struct work *work = data;
    struct timeval time = {0, 500};
    work->parent = id;
    event_add(work->event, &time);
}
static void on_chain(evutil_socket_t fd, short what, void *data)
{
    struct work *work = data;
    (void)fd;
    (void)what;
    step_for(work->parent, --work->left > 0 ? chain_on : NULL, work);
    if (work->left > 0)
        return;
    event_free(work->event);
    free(work);
}
static void add_chain(long id, void *data)
{
    struct work *work = work_of(id, 4);
    (void)data;
    work->event = event_new(base, -1, 0, on_chain, work);
    chain_on(id, work);
}

static void on_once(evutil_socket_t fd, short what, void *data)
{
    struct work *work = data;
    (void)fd;
    (void)what;
    step_for(work->parent, work->left ? add_timer : NULL, NULL);
    free(work);
}
static void add_once(long id, void *data)
{
    struct timeval time = {0, 0};
    (void)data;
    event_base_once(base, -1, EV_TIMEOUT, on_once, work_of(id, id % 2), &time);
}

static void on_byte(evutil_socket_t fd, short what, void *data)
{
    struct work *work = data;
    char byte;
    (void)what;
    if (read(fd, &byte, 1) != 1)
        abort();
    step_for(work->parent, NULL, NULL);
    if (--work->left > 0)
        return;
    event_free(work->event);
    close(work->fds[0]);
    close(work->fds[1]);
    free(work);
}
static void add_reader(long id, void *data)
{
    struct work *work = work_of(id, 2);
    (void)data;
    if (pipe(work->fds) != 0 || write(work->fds[1], "ab", 2) != 2)
        abort();
    work->event =
        event_new(base, work->fds[0], EV_READ | EV_PERSIST, on_byte, work);
    event_add(work->event, NULL);
}
static void activate(long id, void *data)
{
    struct work *work = work_of(id, 1);
    (void)data;
    work->event = event_new(base, -1, 0, on_timer, work);
    event_active(work->event, EV_TIMEOUT, 1);
}

/* ---- a connection ------------------------------------------------------ */

struct connection {
    struct bufferevent *ends[2];
    long parent;
    int left;
};
static void end_one(struct connection *connection)
{
    if (--connection->left > 0)
        return;
    bufferevent_free(connection->ends[0]);
    bufferevent_free(connection->ends[1]);
    free(connection);
}
static void on_reply(struct bufferevent *end, void *data)
{
    struct connection *connection = data;
    evbuffer_drain(bufferevent_get_input(end), 100);
    step_for(connection->parent, NULL, NULL);
    end_one(connection);
}
static void on_request(struct bufferevent *end, void *data)
{
    struct connection *connection = data;
    evbuffer_drain(bufferevent_get_input(end), 100);
    step_for(connection->parent, NULL, NULL);
    bufferevent_write(end, "reply", 5);
    end_one(connection);
}
static void connect_both(long id, void *data)
{
    struct connection *connection = malloc(sizeof *connection);
    int fds[2];
    (void)data;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        abort();
    connection->parent = id;
    connection->left = 2;
    for (int i = 0; i < 2; i++) {
        struct bufferevent *end = bufferevent_socket_new(
            base, fds[i], BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
        connection->ends[i] = end;
        bufferevent_setcb(end, i ? on_request : on_reply, NULL, NULL,
                          connection);
        bufferevent_enable(end, EV_READ | EV_WRITE);
    }
    bufferevent_write(connection->ends[0], "request", 7);
}

static void run(long id, void *data)
{
    (void)id;
    (void)data;
    event_base_dispatch(base);
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    base = event_base_new();
    for (long i = 0; i < ITEMS; i++) {
        step_for(0, add_timer, NULL);
        step_for(0, add_timer, (void *)1);
        step_for(0, add_chain, NULL);
        step_for(0, add_once, NULL);
        step_for(0, add_reader, NULL);
        step_for(0, activate, NULL);
        step_for(0, connect_both, NULL);
    }
    step_for(0, run, NULL);
    event_base_free(base);
    return step_end();
}
