// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a program that generate.py made up: a tree of nodes, each a traced
 * call, and how each is started by the one above it. It knows nothing of
 * parents but that; generate.py compares them with what handspan stored.
 *
 * Threads: a pool that pops with adopt, a pool whose handlers adopt their
 * argument, an event loop that calls functions with data, two threads that
 * run fibers (which wander between them), one that resumes coroutines.
 */
#include <condition_variable>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <spawn.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

#define HANDLER                                                                \
    extern "C" __attribute__((noinline, noclone, visibility("default")))
#define INNER __attribute__((noinline, noclone))

struct item {
    long id;
};
struct node {
    std::string kind;
    long argument = 0;
    std::vector<long> children;
};
static std::vector<node> nodes;
static long pending; // nodes that run elsewhere; under `mutex`
static bool is_child, is_over;
static std::mutex mutex;
static std::condition_variable changed;

static void start(long id);
static void yield();

// ---- handlers -------------------------------------------------------------

static void body(long id)
{
    for (long child : nodes[(size_t)id].children) {
        start(child);
        yield();
    }
}
HANDLER long h0(long id)
{
    body(id);
    return id;
}
HANDLER long h1(long id)
{
    volatile char room[300];
    room[id % 300] = 1;
    body(id);
    return id + room[id % 300];
}
HANDLER long h2(long a, long b, long c, long d, long e, long f, long id)
{
    body(id);
    return a + b + c + d + e + f; // stack arguments: a zero-copy call
}
HANDLER long ha(struct item *item)
{
    body(item->id);
    return 0;
}
HANDLER void hp(void *unused, struct item *item)
{
    (void)unused;
    body(item->id);
}

static void run(long id)
{
    if (id % 3 == 0)
        h0(id);
    else if (id % 3 == 1)
        h1(id);
    else
        h2(1, 2, 3, 4, 5, 6, id);
}
// not traced: frames between who knows the item and who works on it
INNER static void run_below(long id, long depth)
{
    volatile char room[128] = {0};
    room[id % 128] = 1;
    if (depth > 0)
        run_below(id, depth - 1);
    else
        run(id);
    room[(id + 1) % 128] = room[0];
}

static void done()
{
    std::lock_guard<std::mutex> lock(mutex);
    if (--pending == 0)
        changed.notify_all();
}

// ---- queues ---------------------------------------------------------------

struct queue {
    std::deque<struct item *> items;
};
static queue popped, adopted, silent;
static std::deque<std::pair<void (*)(void *, struct item *), struct item *>>
    later;

HANDLER void push(struct queue *q, struct item *item)
{
    std::lock_guard<std::mutex> lock(mutex);
    q->items.push_back(item);
    changed.notify_all();
}
static struct item *take(struct queue *q)
{
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return is_over || !q->items.empty(); });
    if (q->items.empty())
        return nullptr;
    struct item *item = q->items.front();
    q->items.pop_front();
    return item;
}
HANDLER struct item *pop(struct queue *q)
{
    struct item *item = take(q);
    __asm__ volatile("" : "+r"(item));
    return item;
}
HANDLER void push_silently(struct queue *q, struct item *item)
{
    std::lock_guard<std::mutex> lock(mutex);
    q->items.push_back(item);
    changed.notify_all();
}
HANDLER struct item *pop_silently(struct queue *q)
{
    struct item *item = take(q);
    __asm__ volatile("" : "+r"(item));
    return item;
}
HANDLER void call_later(void (*fn)(void *, struct item *), struct item *item)
{
    std::lock_guard<std::mutex> lock(mutex);
    later.emplace_back(fn, item);
    changed.notify_all();
}

INNER static bool work_one()
{
    struct item *item = pop(&popped);
    if (!item)
        return false;
    long id = item->id;
    free(item); // its memory is the next one's
    run_below(id, nodes[(size_t)id].argument % 4);
    done();
    return true;
}
static void worker()
{
    while (work_one())
        ;
}
static void adopter()
{
    while (struct item *item = take(&adopted)) {
        ha(item);
        free(item);
        done();
    }
}
static void silent_worker()
{
    while (struct item *item = pop_silently(&silent)) {
        run(item->id);
        free(item);
        done();
    }
}
static void event_loop()
{
    for (;;) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [] { return is_over || !later.empty(); });
        if (later.empty())
            return;
        auto call = later.front();
        later.pop_front();
        lock.unlock();
        call.first(nullptr, call.second);
        free(call.second);
        done();
    }
}

// ---- fibers ---------------------------------------------------------------

struct fiber {
    ucontext_t context;
    char *stack;
    size_t bytes;
    long id;
    bool is_done;
};
static std::deque<struct fiber *> ready;
static thread_local ucontext_t scheduler;
static thread_local struct fiber *current;

// the thread may be another one after each switch: never keep an address
INNER static ucontext_t *scheduler_here()
{
    __asm__ volatile("");
    return &scheduler;
}
INNER static struct fiber **current_here()
{
    __asm__ volatile("");
    return &current;
}

static void yield()
{
    struct fiber *self = *current_here();
    if (self)
        swapcontext(&self->context, scheduler_here());
}
static void fiber_main(unsigned high, unsigned low)
{
    auto *self = (struct fiber *)((unsigned long)high << 32 | low);
    run_below(self->id, self->id % 3);
    self->is_done = true;
    setcontext(scheduler_here());
}
static struct fiber *make_fiber(long id)
{
    auto *fiber = new struct fiber;
    fiber->id = id;
    fiber->is_done = false;
    // close neighbours, of sizes that differ, freed and used again
    fiber->bytes = 32768 + (size_t)(id % 5) * 16384;
    fiber->stack = (char *)malloc(fiber->bytes);
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = fiber->bytes;
    fiber->context.uc_link = nullptr;
    auto at = (unsigned long)fiber;
    makecontext(&fiber->context, (void (*)())fiber_main, 2,
                (unsigned)(at >> 32), (unsigned)at);
    return fiber;
}
static void resume(struct fiber *fiber)
{
    struct fiber *before = *current_here();
    ucontext_t saved = *scheduler_here();
    *current_here() = fiber;
    swapcontext(scheduler_here(), &fiber->context);
    *scheduler_here() = saved;
    *current_here() = before;
}
static void free_fiber(struct fiber *fiber)
{
    free(fiber->stack);
    delete fiber;
}
static void fiber_thread()
{
    for (;;) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [] { return is_over || !ready.empty(); });
        if (ready.empty())
            return;
        struct fiber *fiber = ready.front();
        ready.pop_front();
        lock.unlock();
        resume(fiber);
        if (fiber->is_done) {
            free_fiber(fiber);
            done();
            continue;
        }
        lock.lock();
        ready.push_back(fiber);
        changed.notify_all();
    }
}

// ---- coroutines -----------------------------------------------------------

static std::deque<void *> resumable;

HANDLER void push_handle(void *handle)
{
    std::lock_guard<std::mutex> lock(mutex);
    resumable.push_back(handle);
    changed.notify_all();
}
HANDLER void *pop_handle()
{
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [] { return is_over || !resumable.empty(); });
    if (resumable.empty())
        return nullptr;
    void *handle = resumable.front();
    resumable.pop_front();
    return handle;
}
struct queued {
    bool await_ready()
    {
        return false;
    }
    void await_suspend(std::coroutine_handle<> handle)
    {
        push_handle(handle.address());
    }
    void await_resume()
    {
    }
};
struct coroutine {
    struct promise_type {
        coroutine get_return_object()
        {
            return {};
        }
        std::suspend_never initial_suspend()
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
        {
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            abort();
        }
    };
};
static coroutine run_coroutine(long id)
{
    co_await queued();
    for (long child : nodes[(size_t)id].children) {
        run_below(child, 1);
        co_await queued();
    }
    done();
}
INNER static bool resume_one()
{
    void *handle = pop_handle();
    if (!handle)
        return false;
    std::coroutine_handle<>::from_address(handle).resume();
    return true;
}
static void coroutine_thread()
{
    while (resume_one())
        ;
}

// ---- starting a node --------------------------------------------------------

static void add_pending()
{
    std::lock_guard<std::mutex> lock(mutex);
    pending++;
}
static struct item *make_item(long id)
{
    add_pending();
    auto *item = (struct item *)malloc(sizeof(struct item));
    item->id = id;
    return item;
}

INNER static void start_fiber(long id)
{
    struct fiber *fiber = make_fiber(id);
    if (is_child) { // no thread is there to run it
        while (!fiber->is_done)
            resume(fiber);
        free_fiber(fiber);
        return;
    }
    std::lock_guard<std::mutex> lock(mutex);
    pending++;
    ready.push_back(fiber);
    changed.notify_all();
}
static void start_fork(long id)
{
    pid_t pid = fork();
    if (pid == 0) {
        is_child = true;
        *current_here() = nullptr;
        body(id); // a node without a call of its own
        _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        abort();
}

/* ---- other processes: this program again, with the nodes below `id` ------ */

static const char *self, *nodes_path;

static int wait_for(pid_t pid)
{
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    return status;
}
static int spawn_itself(const std::string &kind, long id)
{
    std::string number = std::to_string(id);
    std::string line = std::string(self) + " " + nodes_path + " " + number;
    char *argv[] = {(char *)self, (char *)nodes_path, number.data(), nullptr};
    pid_t pid = -1;
    if (kind == "spawn") {
        if (posix_spawn(&pid, self, nullptr, nullptr, argv, environ) != 0)
            abort();
    } else if (kind == "vfork") {
        pid = vfork();
        if (pid == 0) {
            execve(self, argv, environ);
            _exit(127);
        }
    } else if (kind == "forkexec") {
        pid = fork();
        if (pid == 0) {
            execv(self, argv);
            _exit(127);
        }
    } else if (kind == "system") {
        return system(line.c_str());
    } else { /* popen */
        FILE *in = popen((line + "; echo").c_str(), "r");
        if (!in || fgetc(in) != '\n' || fgetc(in) != EOF)
            abort();
        return pclose(in);
    }
    return wait_for(pid);
}
static void start_process(const std::string &kind, long id)
{
    if (spawn_itself(kind, id) != 0)
        abort();
}

static void start_thread(long id)
{
    std::thread([id] { run(id); }).join();
}
static void start_detached(long id)
{
    add_pending();
    std::thread([id] {
        run(id);
        done();
    }).detach();
}

static void start(long id)
{
    const std::string &kind = nodes[(size_t)id].kind;
    if (kind == "call")
        run(id);
    else if (kind == "below")
        run_below(id, nodes[(size_t)id].argument);
    else if (kind == "pop")
        push(&popped, make_item(id));
    else if (kind == "adopt")
        push(&adopted, make_item(id));
    else if (kind == "silent")
        push_silently(&silent, make_item(id));
    else if (kind == "later")
        call_later(hp, make_item(id));
    else if (kind == "fiber")
        start_fiber(id);
    else if (kind == "coroutine")
        add_pending(), run_coroutine(id);
    else if (kind == "fork")
        start_fork(id);
    else if (kind == "thread")
        start_thread(id);
    else if (kind == "detached")
        start_detached(id);
    else
        start_process(kind, id);
}

// a line for each node: its parent, kind and argument; the first is number 1
static void read_nodes(const char *path)
{
    FILE *file = fopen(path, "r");
    char kind[32];
    long parent, argument;
    nodes.resize(1);
    while (file &&
           fscanf(file, "%ld %31s %ld", &parent, kind, &argument) == 3) {
        nodes[(size_t)parent].children.push_back((long)nodes.size());
        nodes.emplace_back();
        nodes.back().kind = kind;
        nodes.back().argument = argument;
    }
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    self = argv[0];
    nodes_path = argv[1];
    long above = argc > 2 ? atol(argv[2]) : 0;
    read_nodes(nodes_path);
    std::vector<std::thread> threads;
    for (auto *loop :
         {worker, worker, worker, adopter, adopter, silent_worker, event_loop,
          fiber_thread, fiber_thread, coroutine_thread, coroutine_thread})
        threads.emplace_back(loop);
    for (long child : nodes[(size_t)above].children)
        start(child);
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [] { return pending == 0; });
        is_over = true;
        changed.notify_all();
    }
    for (auto &thread : threads)
        thread.join();
    if (above == 0)
        printf("%zu nodes\n", nodes.size() - 1);
    return 0;
}
