/* SPDX-License-Identifier: Apache-2.0 */
/* Boost.Context and Boost.Fiber: fibers that go on elsewhere, on other threads
 * too (shared work), a function on top of another's stack (ontop_fcontext),
 * stacks that are used again at once. A fiber's work is that of the step that
 * made it. */
#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "step.h"

namespace context = boost::context;
namespace fibers = boost::fibers;
enum {
    ITEMS = 40,
    THREADS = 3,
};

/* ---- contexts by hand -------------------------------------------------- */

static std::vector<context::fiber> *left;
static void made(long id, void *)
{
    left->emplace_back([id](context::fiber &&back) {
        for (int i = 0; i < 3; i++) {
            step_for(id, nullptr, nullptr);
            back = std::move(back).resume();
        }
        return std::move(back);
    });
}
static void on_top(long id, void *data)
{
    auto *fiber = static_cast<context::fiber *>(data);
    (void)id;
    /* runs on the fiber's stack, which belongs to who made it */
    *fiber = std::move(*fiber).resume_with(
        [](context::fiber &&back) { return std::move(back); });
}
static void resume_all(long, void *)
{
    while (!left->empty()) {
        std::vector<context::fiber> now;
        now.swap(*left);
        for (auto &fiber : now) {
            fiber = std::move(fiber).resume();
            if (fiber)
                left->push_back(std::move(fiber));
        }
    }
}

/* ---- Boost.Fiber ------------------------------------------------------- */

static std::mutex mutex;
static fibers::condition_variable_any changed;
static std::atomic<long> pending;

static void spawn(long id, void *data);
static void waits(long, void *)
{
    boost::this_fiber::yield(); /* perhaps on another thread from here */
    boost::this_fiber::yield();
}
static void work(long parent, long depth)
{
    step_for(parent, waits, nullptr);
    boost::this_fiber::yield();
    step_for(parent, depth > 0 ? spawn : nullptr,
             reinterpret_cast<void *>(depth - 1));
    std::unique_lock<std::mutex> lock(mutex);
    if (--pending == 0)
        changed.notify_all();
}
static void spawn(long id, void *data)
{
    pending++;
    fibers::fiber(work, id, reinterpret_cast<long>(data)).detach();
}
static void wait_all()
{
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [] { return pending == 0; });
}
static void worker(fibers::barrier *ready)
{
    fibers::use_scheduling_algorithm<fibers::algo::shared_work>(true);
    ready->wait();
    wait_all();
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    std::vector<context::fiber> fibers_left;
    left = &fibers_left;
    for (long i = 0; i < ITEMS; i++)
        step_for(0, made, nullptr);
    for (auto &fiber : fibers_left)
        step_for(0, on_top, &fiber);
    step_for(0, resume_all, nullptr);

    fibers::use_scheduling_algorithm<fibers::algo::shared_work>(true);
    for (long i = 0; i < ITEMS; i++)
        step_for(0, spawn, reinterpret_cast<void *>(i % 3));
    fibers::barrier ready(THREADS + 1);
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++)
        threads.emplace_back(worker, &ready);
    ready.wait();
    wait_all();
    for (auto &thread : threads)
        thread.join();
    return step_end();
}
