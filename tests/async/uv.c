/* SPDX-License-Identifier: Apache-2.0 */
/* libuv: work on the pool and what follows it, timers (also repeating and
 * restarted ones), files, idle handlers, streams. The loop runs inside of a
 * step, the pool's threads are made inside of another: neither is a parent. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "step.h"

enum {
    ITEMS = 40
};
/* what libuv.manifest says of them */
_Static_assert(offsetof(uv_timer_t, timer_cb) == 96 &&
                   offsetof(uv_timer_t, repeat) == 136 &&
                   offsetof(uv_process_options_t, exit_cb) == 0,
               "libuv's own layout");
static uv_loop_t *loop;

/* ---- the pool ---------------------------------------------------------- */

static void on_work(uv_work_t *req)
{
    step_for((long)req->data, NULL, NULL);
}
static void again(long id, void *data);
static void after_work(uv_work_t *req, int status)
{
    (void)status;
    long parent = (long)req->data;
    free(req);
    step_for(parent, parent % 3 == 0 ? again : NULL, NULL);
}
static void queue_work(long id, void *data)
{
    (void)data;
    uv_work_t *req = malloc(sizeof *req);
    req->data = (void *)id;
    uv_queue_work(loop, req, on_work, after_work);
}
static void again(long id, void *data)
{
    if (id < 400)
        queue_work(id, data);
}

/* ---- timers ------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}
static void on_timer(uv_timer_t *timer)
{
    struct item *item = timer->data;
    step_for(item->parent, queue_work, NULL);
    if (--item->n > 0)
        return;
    free(item);
    uv_close((uv_handle_t *)timer, on_closed);
}
static void start_timer(long id, void *data)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    uv_timer_init(loop, timer);
    timer->data = item_of(id, data ? 3 : 1);
    uv_timer_start(timer, on_timer, (uint64_t)id % 5, data ? 1 : 0);
}
/* Set anew by another step before it was due: that one's. */
static void restart(long id, void *data)
{
    uv_timer_t *timer = data;
    ((struct item *)timer->data)->parent = id;
    uv_timer_start(timer, on_timer, 1, 0);
}
static void start_late(long id, void *data)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    (void)data;
    uv_timer_init(loop, timer);
    timer->data = item_of(id, 1);
    uv_timer_start(timer, on_timer, 100000, 0);
    step_for(id, restart, timer);
}

/* ---- files ------------------------------------------------------------- */

struct reading {
    uv_fs_t req;
    long parent;
    int file;
    char bytes[16];
};
static void on_read(uv_fs_t *req);
static void on_open(uv_fs_t *req);
static void on_shut(uv_fs_t *req)
{
    step_for(((struct reading *)req)->parent, NULL, NULL);
    uv_fs_req_cleanup(req);
    free(req);
}
static void read_on(long id, void *data)
{
    struct reading *r = data;
    uv_buf_t buf = uv_buf_init(r->bytes, sizeof r->bytes);
    r->parent = id;
    uv_fs_read(loop, &r->req, r->file, &buf, 1, 0, on_read);
}
static void shut(long id, void *data)
{
    struct reading *r = data;
    r->parent = id;
    uv_fs_close(loop, &r->req, r->file, on_shut);
}
static void on_read(uv_fs_t *req)
{
    struct reading *r = (struct reading *)req;
    uv_fs_req_cleanup(req);
    step_for(r->parent, shut, r);
}
static void on_open(uv_fs_t *req)
{
    struct reading *r = (struct reading *)req;
    r->file = (int)req->result;
    uv_fs_req_cleanup(req);
    step_for(r->parent, read_on, r);
}
static void open_file(long id, void *data)
{
    struct reading *r = malloc(sizeof *r);
    (void)data;
    r->parent = id;
    uv_fs_open(loop, &r->req, "/etc/passwd", O_RDONLY, 0, on_open);
    uv_fs_t now; /* without a callback: at once */
    uv_fs_stat(loop, &now, "/", NULL);
    uv_fs_req_cleanup(&now);
}

/* ---- a stream ---------------------------------------------------------- */

static uv_pipe_t ends[2];
static long reader;
static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char room[64];
    (void)handle;
    (void)size;
    *buf = uv_buf_init(room, sizeof room);
}
static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0)
        uv_close((uv_handle_t *)stream, NULL);
    step_for(reader, NULL, NULL);
}
static void on_written(uv_write_t *req, int status)
{
    (void)status;
    step_for((long)req->data, NULL, NULL);
    uv_close((uv_handle_t *)&ends[1], NULL);
}
static void start_reading(long id, void *data)
{
    (void)data;
    reader = id;
    uv_read_start((uv_stream_t *)&ends[0], give_room, on_bytes);
}
static void start_writing(long id, void *data)
{
    static uv_write_t req;
    uv_buf_t buf = uv_buf_init((char *)"bytes", 5);
    (void)data;
    req.data = (void *)id;
    uv_write(&req, (uv_stream_t *)&ends[1], &buf, 1, on_written);
}

static void run(long id, void *data)
{
    (void)id;
    (void)data;
    uv_run(loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    int fds[2];
    step_start(argc, argv);
    loop = uv_default_loop();
    if (uv_pipe(fds, 0, 0) != 0)
        return 2;
    for (int i = 0; i < 2; i++) {
        uv_pipe_init(loop, &ends[i], 0);
        uv_pipe_open(&ends[i], fds[i]);
    }
    step_for(0, start_reading, NULL);
    step_for(0, start_writing, NULL);
    for (long i = 0; i < ITEMS; i++) {
        step_for(0, queue_work, NULL);
        step_for(0, start_timer, NULL);
        step_for(0, start_timer, (void *)1);
        step_for(0, start_late, NULL);
        step_for(0, open_file, NULL);
    }
    step_for(0, run, NULL);
    uv_loop_close(loop);
    return step_end();
}
