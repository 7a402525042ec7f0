/* SPDX-License-Identifier: Apache-2.0 */
/* C++20 coroutines by the address of their frame: they go on on any of three
 * threads, await each other, and their frames' memory is used again. What a
 * coroutine does after it was scheduled belongs to the step that scheduled it,
 * also where another coroutine's end does that. */
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "step.h"

enum {
    ITEMS = 60,
    THREADS = 3,
};
static std::mutex mutex;
static std::condition_variable changed;
static std::deque<void *> frames;
static long pending;
static bool is_over;

HANDLER void schedule(void *frame)
{
    std::lock_guard<std::mutex> lock(mutex);
    frames.push_back(frame);
    changed.notify_one();
}
HANDLER void *take()
{
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [] { return is_over || !frames.empty(); });
    if (frames.empty())
        return nullptr;
    void *frame = frames.front();
    frames.pop_front();
    return frame;
}

struct task {
    struct promise_type {
        task get_return_object()
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

/* Goes on elsewhere, for a step of its own: *parent says which. */
struct hop {
    long from, *parent;
    bool await_ready()
    {
        return false;
    }
    static void body(long id, void *data)
    {
        auto *hop = static_cast<struct hop *>(data);
        *hop->parent = id;
        schedule(hop->handle.address()); /* may go on before we are back */
    }
    void await_suspend(std::coroutine_handle<> h)
    {
        struct hop mine = *this; /* the frame may be gone by then */
        mine.handle = h;
        step_for(from, body, &mine);
    }
    void await_resume()
    {
    }
    std::coroutine_handle<> handle = nullptr;
};

static void begin(long id, void *data);
static task run(long parent, long depth)
{
    co_await hop{parent, &parent};
    for (int i = 0; i < 3; i++) {
        step_for(parent, nullptr, nullptr);
        co_await hop{parent, &parent};
    }
    step_for(parent, depth > 0 ? begin : nullptr,
             reinterpret_cast<void *>(depth - 1));
    std::lock_guard<std::mutex> lock(mutex);
    if (--pending == 0)
        changed.notify_all();
}
static void begin(long id, void *data)
{
    {
        std::lock_guard<std::mutex> lock(mutex);
        pending++;
    }
    run(id, reinterpret_cast<long>(data));
}

static __attribute__((noipa)) bool resume_one()
{
    void *frame = take();
    if (!frame)
        return false;
    std::coroutine_handle<>::from_address(frame).resume();
    return true;
}

int main(int argc, char **argv)
{
    step_start(argc, argv);
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++)
        threads.emplace_back([] {
            while (resume_one())
                ;
        });
    for (long i = 0; i < ITEMS; i++)
        step_for(0, begin, reinterpret_cast<void *>(i % 3));
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
