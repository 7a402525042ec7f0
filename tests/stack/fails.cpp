/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that fails in the way its argument names. Each way is one function
 * of the manifest (stack.manifest); main() catches what passes.
 */
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <new>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>
#include <vector>

#define APART extern "C" __attribute__((noinline, used))
#define KEEP  __asm__ volatile("" ::: "memory")

/* ---- rules ------------------------------------------------------------- */

APART int load(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        fprintf(stderr, "load: cannot open %s\n", path);
        return -2;
    }
    close(fd);
    return 0;
}

APART int extract(const char *path)
{
    int result = load(path);
    KEEP;
    return result;
}

/* Looks here and there, finds it at last. */
APART int probe(void)
{
    struct stat about;
    for (const char *path : {"/nonexistent/a", "/nonexistent/b", "/"})
        if (stat(path, &about) == 0)
            return 0;
    return -1;
}

/* More arguments than registers: a zero-copy call. */
APART int eight(long a, long b, long c, long d, long e, long f, long g,
                const char *path)
{
    int result = access(path, R_OK);
    KEEP;
    return a + b + c + d + e + f + g == 28 ? result : 0;
}

APART int stdio(const char *path)
{
    FILE *file = fopen(path, "r");
    return file ? fclose(file) : -1;
}

/* An argument and a stack that hold what nobody may see. */
APART int login(const char *password)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", password);
    fprintf(stderr, "login with %s failed\n", copy);
    int result = access(copy, R_OK);
    KEEP;
    return result;
}

APART int again(const char *path)
{
    return access(path, R_OK);
}

/* ---- exceptions -------------------------------------------------------- */

struct Own : std::exception {
    const char *what() const noexcept override
    {
        abort();
    }
};
struct Other {
    long pad = 7;
    virtual ~Other()
    {
    }
};
struct Mixed : Other, std::out_of_range {
    Mixed() : std::out_of_range("second base")
    {
    }
};

static void raise_foreign()
{
    static _Unwind_Exception exception;
    memcpy(&exception.exception_class, "HANDSPAN", 8);
    _Unwind_RaiseException(&exception);
}

APART int thrower(int kind)
{
    switch (kind) {
    case 1:
        throw std::runtime_error("boom");
    case 2:
        throw 42;
    case 3:
        throw std::string("a string");
    case 4:
        throw "a C string";
    case 5:
        throw std::bad_alloc();
    case 6:
        throw Own();
    case 7:
        throw Mixed();
    case 8:
        try {
            throw std::logic_error("inner");
        } catch (...) {
            throw;
        }
    case 9: {
        std::exception_ptr kept;
        try {
            throw std::runtime_error("kept");
        } catch (...) {
            kept = std::current_exception();
        }
        std::rethrow_exception(kept);
    }
    case 10: /* another thread's */
    {
        std::exception_ptr kept;
        std::thread([&kept] {
            try {
                throw std::runtime_error("elsewhere");
            } catch (...) {
                kept = std::current_exception();
            }
        }).join();
        std::rethrow_exception(kept);
    }
    case 11: /* caught below */
        try {
            throw std::runtime_error("never seen again");
        } catch (...) {
        }
        return 0;
    case 12:
        raise_foreign();
        return 0;
    default:
        return 0;
    }
}

static void throw_all(int last = 12)
{
    for (int kind = 1; kind <= last; kind++)
        try {
            thrower(kind);
        } catch (...) {
        }
}

/* ---- signals and ends -------------------------------------------------- */

static volatile int zero;
static int *volatile nowhere = reinterpret_cast<int *>(0x1234);

__attribute__((noinline)) static int sink(int n)
{
    char room[4096];
    memset(room, n, sizeof room);
    KEEP;
    return sink(n + 1) + room[n & 4095];
}

static ucontext_t main_context, fiber_context;
static char fiber_stack[65536];

static void in_fiber()
{
    *nowhere = 1;
}

static void free_wild()
{
    char *wild = static_cast<char *>(malloc(64));
    wild += 16;
    __asm__("" : "+r"(wild)); /* hides it from the compiler */
    free(wild);
}

static void small_stack()
{
    static char room[16384];
    stack_t stack = {};
    stack.ss_sp = room + 64;
    /* the least that the kernel takes: little more than its own frame */
    for (size_t len = 2048; len < sizeof room; len += 64) {
        stack.ss_size = len;
        if (sigaltstack(&stack, nullptr) == 0)
            return;
    }
}

APART int die(const char *how)
{
    std::string way = how;
    if (way == "segv")
        *nowhere = 1;
    if (way == "bus") {
        char name[] = "/tmp/handspan-XXXXXX";
        int fd = mkstemp(name);
        unlink(name);
        auto *at = static_cast<volatile char *>(
            mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0));
        zero = at[0];
    }
    if (way == "fpe")
        zero = 1000 / zero;
    if (way == "ill")
        __asm__ volatile("ud2");
    if (way == "abort")
        abort();
    if (way == "sys")
        raise(SIGSYS);
    if (way == "overflow")
        zero = sink(0);
    if (way == "fiber") {
        getcontext(&fiber_context);
        fiber_context.uc_stack.ss_sp = fiber_stack;
        fiber_context.uc_stack.ss_size = sizeof fiber_stack;
        makecontext(&fiber_context, in_fiber, 0);
        swapcontext(&main_context, &fiber_context);
    }
    if (way == "malloc")
        free_wild();
    if (way == "small") {
        small_stack();
        zero = 1000 / zero;
    }
    if (way == "call") { /* no code there */
        auto fn = reinterpret_cast<void (*)()>(nowhere);
        fn();
    }
    if (way == "smash") { /* the stack pointer is gone */
        __asm__ volatile("mov $0x1000, %%rsp\n push %%rax" ::: "memory");
    }
    if (way == "exit")
        exit(3);
    if (way == "_exit")
        _exit(4);
    if (way == "quick")
        quick_exit(5);
    if (way == "terminate")
        throw std::runtime_error("nobody catches this");
    return 0;
}

/* ---- more than one ----------------------------------------------------- */

APART int wait_and_die(pthread_barrier_t *all)
{
    pthread_barrier_wait(all);
    *nowhere = 1;
    return 0;
}

static void die_together(unsigned threads)
{
    static pthread_barrier_t all;
    std::vector<std::thread> started;
    pthread_barrier_init(&all, nullptr, threads);
    for (unsigned i = 0; i < threads; i++)
        started.emplace_back([] {
            wait_and_die(&all);
            KEEP;
        });
    for (auto &thread : started)
        thread.join();
}

/* One after the other, in no order that is said to anybody: each takes over
 * what the one before left to the thread that comes next. */
static void throw_in_turn(int count)
{
    static std::atomic<pid_t> tid;
    std::vector<std::thread> started;
    throw_all(); /* what libgcc does once is done */
    for (int i = 0; i < count; i++) {
        tid = 0;
        started.emplace_back([] {
            throw_all(3);
            tid = gettid();
        });
        while (tid == 0 || tgkill(getpid(), tid, 0) == 0)
            usleep(1000);
    }
    for (auto &thread : started)
        thread.join();
}

static void storm(int count)
{
    for (int i = 0; i < count; i++)
        again("/nonexistent/again");
}

/* Below so many frames of its own: as many stacks. */
__attribute__((noinline)) static int below(int frames)
{
    int result = frames > 0 ? below(frames - 1) : again("/nonexistent/turn");
    KEEP;
    return result;
}

static void take_turns(int stacks)
{
    volatile int turns = 3; /* one place of the call, not two */
    for (int turn = 0; turn < turns; turn++)
        for (int frames = 0; frames < stacks; frames++)
            below(frames);
}

/* ---- a handler of the program ------------------------------------------ */

static sigjmp_buf back;
static void on_fault(int)
{
    siglongjmp(back, 1);
}

static int survive()
{
    struct sigaction action = {};
    action.sa_handler = on_fault;
    sigaction(SIGSEGV, &action, nullptr);
    if (sigsetjmp(back, 1) == 0)
        die("segv");
    return load("/nonexistent/after");
}

/* All at once: each gets the memory that another one's exception had. */
static void throw_in_crowd(int count)
{
    std::vector<std::thread> started;
    throw_all(); /* what libgcc does once is done */
    for (int i = 0; i < count; i++)
        started.emplace_back([] {
            for (int round = 0; round < 40; round++)
                throw_all(3);
        });
    for (auto &thread : started)
        thread.join();
}

int main(int argc, char **argv)
{
    std::string what = argc > 1 ? argv[1] : "";
    std::string with = argc > 2 ? argv[2] : "";
    if (what == "rules") {
        extract("/nonexistent/x.csv");
        stdio("/nonexistent/y");
        eight(1, 2, 3, 4, 5, 6, 7, "/nonexistent/z");
        probe();
    } else if (what == "throws") {
        throw_all();
    } else if (what == "die") {
        die(with.c_str());
    } else if (what == "together") {
        die_together(static_cast<unsigned>(atoi(with.c_str())));
    } else if (what == "turns") {
        throw_in_turn(atoi(with.c_str()));
    } else if (what == "crowd") {
        throw_in_crowd(atoi(with.c_str()));
    } else if (what == "storm") {
        storm(atoi(with.c_str()));
    } else if (what == "stacks") {
        take_turns(atoi(with.c_str()));
    } else if (what == "survive") {
        survive();
    } else if (what == "login") {
        login(with.c_str());
    }
    puts("done");
    return 0;
}
