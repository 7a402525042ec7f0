/* SPDX-License-Identifier: Apache-2.0 */
/* GLib: idle and timeout sources, a source of the program's own, two thread
 * pools, tasks in threads with their results, a context on another thread. The
 * main loop runs inside of a step, which is nobody's parent. */
#include <gio/gio.h>

#include "step.h"

enum {
    ITEMS = 40
};
static GMainLoop *loop, *other_loop;
static GMainContext *other;
static GThreadPool *pool, *own_pool;
static atomic_long pending;

static void begun(void)
{
    atomic_fetch_add(&pending, 1);
}
static void done(void)
{
    if (atomic_fetch_sub(&pending, 1) == 1)
        g_main_loop_quit(loop);
}

/* ---- sources ----------------------------------------------------------- */

static gboolean on_source(gpointer data)
{
    struct item *item = data;
    step_for(item->parent, NULL, NULL);
    if (--item->n > 0)
        return G_SOURCE_CONTINUE;
    g_free(item);
    done();
    return G_SOURCE_REMOVE;
}
static void add_idle(long id, void *data)
{
    (void)data;
    begun();
    g_idle_add(on_source, item_of(id, 1));
}
static void add_timeout(long id, void *data)
{
    (void)data;
    begun();
    g_timeout_add((guint)id % 4, on_source, item_of(id, 3));
}
/* One function and one argument for all: told apart by the source. */
static long shared_parent[ITEMS], shared_next;
static gboolean on_shared(gpointer data)
{
    (void)data;
    step_for(shared_parent[shared_next++], NULL, NULL);
    done();
    return G_SOURCE_REMOVE;
}
static void add_shared(long id, void *data)
{
    begun();
    shared_parent[(long)data] = id;
    g_idle_add(on_shared, NULL);
}

struct own_source {
    GSource source;
    long parent;
};
static gboolean own_ready(GSource *source)
{
    (void)source;
    return TRUE;
}
static gboolean own_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return own_ready(source);
}
static gboolean own_dispatch(GSource *source, GSourceFunc function,
                             gpointer data)
{
    (void)function;
    (void)data;
    step_for(((struct own_source *)source)->parent, add_idle, NULL);
    done();
    return G_SOURCE_REMOVE;
}
static void add_own(long id, void *data)
{
    static GSourceFuncs functions = {own_prepare, own_ready, own_dispatch,
                                     NULL,        NULL,      NULL};
    GSource *source = g_source_new(&functions, sizeof(struct own_source));
    (void)data;
    begun();
    ((struct own_source *)source)->parent = id;
    g_source_attach(source, NULL);
    g_source_unref(source);
}
static void invoke_other(long id, void *data)
{
    (void)data;
    begun();
    g_main_context_invoke(other, on_source, item_of(id, 1));
}

/* ---- pools ------------------------------------------------------------- */

static void on_pool(gpointer data, gpointer user_data)
{
    struct item *item = data;
    long parent = item->parent, n = item->n;
    (void)user_data;
    g_free(item);
    step_for(parent, n == 2 ? add_idle : n == 3 ? invoke_other : NULL, NULL);
    done();
}
static void push(long id, void *data)
{
    begun();
    g_thread_pool_push(data ? own_pool : pool, item_of(id, id % 4), NULL);
}

/* ---- tasks ------------------------------------------------------------- */

static void in_thread(GTask *task, gpointer object, gpointer data,
                      GCancellable *cancellable)
{
    (void)object;
    (void)cancellable;
    struct item *item = data;
    /* its result is what this one hands on */
    step_for(item->parent, NULL, NULL);
    g_task_return_int(task, item->parent);
}
static void on_ready(GObject *object, GAsyncResult *result, gpointer data)
{
    (void)object;
    long parent = g_task_propagate_int(G_TASK(result), NULL);
    step_for(parent, data ? add_timeout : NULL, NULL);
    done();
}
static void start_task(long id, void *data)
{
    GTask *task = g_task_new(NULL, NULL, on_ready, data);
    begun();
    g_task_set_task_data(task, item_of(id, 1), g_free);
    g_task_run_in_thread(task, in_thread);
    g_object_unref(task);
}

static gpointer run_other(gpointer data)
{
    g_main_context_push_thread_default(other);
    g_main_loop_run(other_loop);
    return data;
}
static void run(long id, void *data)
{
    (void)id;
    (void)data;
    g_main_loop_run(loop);
}
static void make(long id, void *data)
{
    (void)id;
    *(GThread **)data = g_thread_new("other", run_other, NULL);
}

int main(int argc, char **argv)
{
    GThread *thread;
    step_start(argc, argv);
    loop = g_main_loop_new(NULL, FALSE);
    other = g_main_context_new();
    other_loop = g_main_loop_new(other, FALSE);
    pool = g_thread_pool_new(on_pool, NULL, 2, FALSE, NULL);
    own_pool = g_thread_pool_new(on_pool, NULL, 2, TRUE, NULL);
    step_for(0, make, &thread);
    for (long i = 0; i < ITEMS; i++) {
        step_for(0, add_idle, NULL);
        step_for(0, add_timeout, NULL);
        step_for(0, add_shared, (void *)i);
        step_for(0, add_own, NULL);
        step_for(0, invoke_other, NULL);
        step_for(0, push, NULL);
        step_for(0, push, (void *)1);
        step_for(0, start_task, (void *)(i % 2));
    }
    step_for(0, run, NULL);
    g_main_loop_quit(other_loop);
    g_thread_join(thread);
    g_thread_pool_free(pool, FALSE, TRUE);
    g_thread_pool_free(own_pool, FALSE, TRUE);
    return step_end();
}
