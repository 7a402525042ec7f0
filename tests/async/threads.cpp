/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of every kind start with their maker's context: pthread, C11,
 * std::thread, std::jthread, std::async. A pool's jobs need push and pop, its
 * threads are made inside of a step. */
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <threads.h>
#include <vector>

#include "step.h"

enum {
    ITEMS = 30
};
static long as_long(void *data)
{
    return reinterpret_cast<long>(data);
}
static void start(long id, void *data);

static void *run_posix(void *data)
{
    step_for(as_long(data), nullptr, nullptr);
    return nullptr;
}
static void in_posix(long id, void *)
{
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run_posix,
                       reinterpret_cast<void *>(id)) != 0)
        abort();
    pthread_join(thread, nullptr);
}
static int run_c11(void *data)
{
    step_for(as_long(data), nullptr, nullptr);
    return 0;
}
static void in_c11(long id, void *)
{
    thrd_t thread;
    if (thrd_create(&thread, run_c11, reinterpret_cast<void *>(id)) !=
        thrd_success)
        abort();
    thrd_join(thread, nullptr);
}
static void in_std(long id, void *data)
{
    /* two at once, each starts more */
    std::thread one([=] { step_for(id, start, data); });
    std::jthread two([=] { step_for(id, start, data); });
    one.join();
}
static void in_async(long id, void *data)
{
    std::vector<std::future<void>> results;
    for (int i = 0; i < 3; i++)
        results.push_back(
            std::async(std::launch::async, [=] { step_for(id, start, data); }));
    results.push_back(std::async(std::launch::deferred,
                                 [=] { step_for(id, nullptr, nullptr); }));
    for (auto &result : results)
        result.get();
}

/* ---- a pool ------------------------------------------------------------ */

static std::mutex mutex;
static std::condition_variable changed;
static std::deque<void *> jobs;
static long pending;
static bool is_over;

HANDLER void push(void *job)
{
    std::lock_guard<std::mutex> lock(mutex);
    pending++;
    jobs.push_back(job);
    changed.notify_one();
}
HANDLER void *pop()
{
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [] { return is_over || !jobs.empty(); });
    if (jobs.empty())
        return nullptr;
    void *job = jobs.front();
    jobs.pop_front();
    return job;
}
static __attribute__((noipa)) bool work_one()
{
    auto *job = static_cast<struct item *>(pop());
    if (!job)
        return false;
    long parent = job->parent, n = job->n;
    free(job);
    step_for(parent, start, reinterpret_cast<void *>(n));
    std::lock_guard<std::mutex> lock(mutex);
    if (--pending == 0)
        changed.notify_all();
    return true;
}
static void in_pool(long id, void *data)
{
    push(item_of(id, as_long(data)));
}

static void start(long id, void *data)
{
    static step_body *const kinds[] = {in_posix, in_c11, in_std, in_async,
                                       in_pool};
    if (as_long(data) > 0)
        kinds[id % 5](id, reinterpret_cast<void *>(as_long(data) - 1));
}

static std::vector<std::thread> threads;
static void make_pool(long, void *)
{
    for (int i = 0; i < 3; i++)
        threads.emplace_back([] {
            while (work_one())
                ;
        });
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    step_for(0, make_pool, nullptr);
    for (long i = 0; i < ITEMS; i++)
        step_for(0, start, reinterpret_cast<void *>(i % 4));
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [] { return pending == 0; });
        is_over = true;
        changed.notify_all();
    }
    for (auto &thread : threads)
        thread.join();
    return step_end();
}
