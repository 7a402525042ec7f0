// SPDX-License-Identifier: Apache-2.0
//
// What must pass through a traced call unharmed, and be recorded as it was:
// every way to pass arguments and results, exceptions, cancellation, longjmp,
// fibers, signal stacks, fork, tail calls, recursion. For F or Z (argument 1).
#include "tests/core/harness.h"

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <execinfo.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define FUNCTION __attribute__((noinline, noclone))

// The stub of a function, with its type; `volatile` keeps gcc from looking
// through. In F mode, functions with stack arguments still get Z.
template <class T> T *traced(const char *name, T *function)
{
    T *volatile stub = (T *)harness_stub(name, (void *)function);
    return stub;
}
template <class T> T *traced_stack(const char *name, T *function)
{
    T *volatile stub = (T *)harness_stub_stack(name, (void *)function);
    return stub;
}

static bool text_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

// ---- arguments and results ---------------------------------------------

struct Big {
    long a[8];
};
struct Two {
    double a, b;
};
struct Mixed {
    long a;
    double b;
};
struct Four {
    float a, b, c, d;
};

FUNCTION static Big return_memory(long x)
{
    Big big;
    for (int i = 0; i < 8; i++)
        big.a[i] = x + i;
    return big;
}
FUNCTION static long take_memory(Big big, long y)
{
    long sum = y;
    for (int i = 0; i < 8; i++)
        sum += big.a[i];
    big.a[0] = 99; // its own copy: the caller's must not change
    asm volatile("" ::"m"(big));
    return sum;
}
FUNCTION static long double long_double(long double a, int b)
{
    return a * b;
}
FUNCTION static _Complex long double complex_long(_Complex long double a)
{
    return a * a;
}
FUNCTION static _Complex double complex_double(_Complex double a)
{
    return a * a;
}
FUNCTION static __int128 wide(__int128 a, __int128 b)
{
    return a * b + 1;
}
FUNCTION static Two two(double a, double b)
{
    return {a + b, a - b};
}
FUNCTION static Mixed mixed(long a, double b)
{
    return {a + 1, b + 1};
}
FUNCTION static Four four(Four x)
{
    return {x.d, x.c, x.b, x.a};
}
FUNCTION static double many(int a, int b, int c, int d, int e, int f, int g,
                            int h, int i, double p, double q, double r,
                            double s, double t, double u, double v, double w,
                            double x, double y)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i +
           p + 2 * q + 3 * r + 4 * s + 5 * t + 6 * u + 7 * v + 8 * w + 9 * x +
           10 * y;
}
FUNCTION static int format(char *out, const char *how, ...)
{
    va_list args;
    va_start(args, how);
    int n = vsnprintf(out, 256, how, args);
    va_end(args);
    return n;
}

static void test_memory()
{
    auto get = traced("return_memory", return_memory);
    Big big = get(5);
    for (int i = 0; i < 8; i++)
        CHECK(big.a[i] == 5 + i);
    auto take = traced_stack("take_memory", take_memory);
    for (int i = 0; i < 8; i++)
        big.a[i] = i;
    CHECK(take(big, 100) == 128);
    CHECK(big.a[0] == 0);
    harness_expect("memory", "return_memory0 take_memory0");
}

static void test_x87()
{
    CHECK(traced_stack("ld", long_double)(1.5L, 3) == 4.5L);
    _Complex long double z = 1 + 2j;
    z = traced_stack("cld", complex_long)(z);
    CHECK(__real__ z == -3 && __imag__ z == 4);
    _Complex double y = 1 + 2j;
    y = traced("cd", complex_double)(y);
    CHECK(__real__ y == -3 && __imag__ y == 4);
    harness_expect("x87", "ld0 cld0 cd0");
}

static void test_registers()
{
    __int128 a = ((__int128)7 << 70) + 3;
    CHECK(traced("wide", wide)(a, 5) == a * 5 + 1);
    Two t = traced("two", two)(3, 1);
    CHECK(t.a == 4 && t.b == 2);
    Mixed m = traced("mixed", mixed)(3, 1);
    CHECK(m.a == 4 && m.b == 2);
    Four f = traced("four", four)({1, 2, 3, 4});
    CHECK(f.a == 4 && f.b == 3 && f.c == 2 && f.d == 1);
    CHECK(traced_stack("many", many)(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5,
                                     6, 7, 8, 9, 10) == 285 + 385);
    harness_expect("registers", "wide0 two0 mixed0 four0 many0");
}

static void test_variadic()
{
    static const char how[] = "%d %f %s %d %g %ld %d %d %d %f %f %f %f %f %f %f";
    char a[256], b[256];
    traced_stack("format", format)(a, how, 1, 2.5, "x", 4, 5.5, 6L, 7, 8, 9,
                                   1., 2., 3., 4., 5., 6., 7.);
    snprintf(b, sizeof b, how, 1, 2.5, "x", 4, 5.5, 6L, 7, 8, 9, 1., 2., 3., 4.,
             5., 6., 7.);
    CHECK(text_is(a, b));
    harness_expect("variadic", "format0");
}

// ---- vectors -------------------------------------------------------------

FUNCTION __attribute__((target("avx"))) static __m256 add256(__m256 a, __m256 b)
{
    return _mm256_add_ps(a, b);
}
__attribute__((target("avx"))) static void test_256()
{
    auto add = traced("add256", add256);
    float out[8];
    _mm256_storeu_ps(out, add(_mm256_set1_ps(2), _mm256_set1_ps(3)));
    for (float f : out)
        CHECK(f == 5);
    harness_expect("256 bits", "add2560");
}

#define V8 __m512 a, __m512 b, __m512 c, __m512 d, __m512 e, __m512 f, \
           __m512 g, __m512 h
FUNCTION __attribute__((target("avx512f"))) static __m512 sum512(V8)
{
    return a + b * 2.f + c * 3.f + d * 4.f + e * 5.f + f * 6.f + g * 7.f +
           h * 8.f;
}
// the ninth stands on the stack, at a multiple of 64
FUNCTION __attribute__((target("avx512f"))) static __m512 nine512(V8, __m512 i)
{
    return a + b + c + d + e + f + g + h + i * 2.f;
}
__attribute__((target("avx512f"))) static void test_512()
{
    auto sum = traced("sum512", sum512);
    auto nine = traced_stack("nine512", nine512);
    __m512 z[8];
    float out[16];
    for (int i = 0; i < 8; i++)
        z[i] = _mm512_set1_ps((float)(i + 1));
    _mm512_storeu_ps(out, sum(z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7]));
    for (float f : out)
        CHECK(f == 204);
    _mm512_storeu_ps(
        out, nine(z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7], z[0]));
    for (float f : out)
        CHECK(f == 38);
    harness_expect("512 bits", "sum5120 nine5120");
}

// Callers of local functions (-fipa-ra) keep values in any register over the
// call; the flags of SSE and x87 stay as well. The first call of a thread goes
// the slow way.
struct Registers {
    uint64_t general[8]; // rdi rsi rdx rcx r8 r9 r10 r11
    double xmm15, xmm8;
    uint32_t mxcsr;
};
extern "C" long nothing(long);
asm(".globl nothing\nnothing: mov $7, %eax\n ret\n");

extern "C" void call_with(Registers *r, long (*stub)(long));
asm(".globl call_with\ncall_with:\n"
    "push %rbx\n mov %rdi, %rbx\n mov %rsi, %rax\n"
    "mov (%rbx), %rdi\n mov 8(%rbx), %rsi\n mov 16(%rbx), %rdx\n"
    "mov 24(%rbx), %rcx\n mov 32(%rbx), %r8\n mov 40(%rbx), %r9\n"
    "mov 48(%rbx), %r10\n mov 56(%rbx), %r11\n"
    "movsd 64(%rbx), %xmm15\n movsd 72(%rbx), %xmm8\n"
    "call *%rax\n"
    "mov %rdi, (%rbx)\n mov %rsi, 8(%rbx)\n mov %rdx, 16(%rbx)\n"
    "mov %rcx, 24(%rbx)\n mov %r8, 32(%rbx)\n mov %r9, 40(%rbx)\n"
    "mov %r10, 48(%rbx)\n mov %r11, 56(%rbx)\n"
    "movsd %xmm15, 64(%rbx)\n movsd %xmm8, 72(%rbx)\n"
    "stmxcsr 80(%rbx)\n pop %rbx\n ret\n");

static long (*stub_nothing)(long);
static void check_registers()
{
    unsigned before = _mm_getcsr();
    _mm_setcsr((before & ~0x6000u) | 0x2000); // round down
    Registers r = {{11, 22, 33, 44, 55, 66, 77, 88}, 1.25, 2.5, 0};
    call_with(&r, stub_nothing);
    for (uint64_t i = 0; i < 8; i++)
        CHECK(r.general[i] == 11 * (i + 1));
    CHECK(r.xmm15 == 1.25 && r.xmm8 == 2.5);
    CHECK((r.mxcsr & 0x6000) == 0x2000);
    _mm_setcsr(before);
}
static void *registers_thread(void *)
{
    check_registers(); // attaches
    check_registers();
    return nullptr;
}
static void test_kept_registers()
{
    pthread_t thread;
    stub_nothing = traced("nothing", nothing);
    check_registers();
    pthread_create(&thread, nullptr, registers_thread, nullptr);
    pthread_join(thread, nullptr);
    harness_expect("registers kept", "nothing0");
}

// A local leaf function may be called with rsp at 8 modulo 16.
extern "C" long call_misaligned(long (*stub)(long));
asm(".globl call_misaligned\ncall_misaligned:\n"
    "call *%rdi\n ret\n"); // rsp was 16 n + 8 at entry

// ---- exceptions ----------------------------------------------------------

FUNCTION static int thrower(int d)
{
    if (d == 0)
        throw std::runtime_error("boom");
    return d;
}
static int (*stub_thrower)(int), (*stub_middle1)(int), (*stub_middle2)(int);
static long (*stub_leaf)(long);
FUNCTION static int middle1(int d)
{
    return stub_thrower(d) + 1;
}
FUNCTION static int middle2(int d)
{
    return stub_middle1(d) + 1;
}
FUNCTION static long leaf(long x)
{
    return x + 1;
}
FUNCTION static int catcher(int d)
{
    try {
        return stub_thrower(d);
    } catch (std::exception &) {
        return -1;
    }
}
FUNCTION static int rethrower(int d)
{
    try {
        return stub_thrower(d);
    } catch (...) {
        throw;
    }
}
FUNCTION static int dependent(int d)
{
    std::exception_ptr pointer;
    try {
        return stub_thrower(d);
    } catch (...) {
        pointer = std::current_exception();
    }
    std::rethrow_exception(pointer);
}
FUNCTION static int throw_int(int)
{
    throw 42;
}
struct Guard {
    int *count;
    ~Guard()
    {
        ++*count;
    }
};
static int guards;
FUNCTION static int guarded(int d)
{
    Guard guard{&guards};
    return stub_middle1(d) + 1;
}

template <class F> static bool throws_runtime_error(F f)
{
    try {
        f(0);
    } catch (std::runtime_error &e) {
        return text_is(e.what(), "boom");
    }
    return false;
}

static void expect_types(const char *type)
{
    harness_record record;
    while (harness_next(&record)) {
        bool failed = record.end == 1;
        CHECK(text_is(record.type, failed ? type : ""));
        CHECK(((record.status & 16) != 0) == failed);
        CHECK(((record.capture & 2) != 0) == failed);
    }
}

static void test_exceptions()
{
    stub_leaf = traced("leaf", leaf);
    stub_thrower = traced("thrower", thrower);
    stub_middle1 = traced("middle1", middle1);
    stub_middle2 = traced("middle2", middle2);
    CHECK(throws_runtime_error(stub_thrower));
    CHECK(stub_leaf(1) == 2);
    harness_expect("throw through 1", "thrower0! leaf0");
    CHECK(throws_runtime_error(stub_middle2));
    CHECK(stub_middle2(5) == 7);
    harness_expect("throw through 3", "thrower2! middle11! middle20! "
                                      "thrower2 middle11 middle20");
    CHECK(traced("catcher", catcher)(0) == -1);
    harness_expect("catch inside", "thrower1! catcher0");
    CHECK(throws_runtime_error(traced("rethrower", rethrower)));
    harness_expect("rethrow", "thrower1! rethrower0!");
    CHECK(throws_runtime_error(traced("guarded", guarded)));
    CHECK(guards == 1);
    harness_expect("cleanup between", "thrower2! middle11! guarded0!");
}

static void test_exception_types()
{
    CHECK(throws_runtime_error(stub_middle2));
    expect_types("St13runtime_error");
    CHECK(throws_runtime_error(traced("dependent", dependent)));
    expect_types("St13runtime_error");
    auto integer = traced("integer", throw_int);
    bool caught = false;
    try {
        integer(1);
    } catch (int x) {
        caught = x == 42;
    }
    CHECK(caught);
    expect_types("i");
}

// ---- tail calls, recursion ------------------------------------------------

static int (*stub_f1)(int), (*stub_z1)(int), (*stub_f2)(int), (*stub_z2)(int);
FUNCTION static int end_of_tail(int x)
{
    return x * 3;
}
static int (*tail_target)(int);
FUNCTION static int tailer(int x)
{
    return tail_target(x + 1); // a jump at -O2
}
static long (*stub_ping)(long), (*stub_pong)(long);
FUNCTION static long pong(long n)
{
    return n == 0 ? 77 : stub_ping(n - 1);
}
FUNCTION static long ping(long n)
{
    return n == 0 ? 77 : stub_pong(n - 1);
}
FUNCTION static int tail_thrower(int x)
{
    return stub_thrower(x - 5);
}

static void test_tail_calls()
{
    // every pairing of F and Z
    stub_f1 = (int (*)(int))harness_stub("tailer", (void *)tailer);
    stub_z1 = (int (*)(int))harness_stub_stack("tailer", (void *)tailer);
    stub_f2 = (int (*)(int))harness_stub("end", (void *)end_of_tail);
    stub_z2 = (int (*)(int))harness_stub_stack("end", (void *)end_of_tail);
    for (auto first : {stub_f1, stub_z1})
        for (auto second : {stub_f2, stub_z2}) {
            tail_target = second;
            CHECK(first(4) == 15);
            CHECK(stub_leaf(1) == 2);
            harness_expect("tail call", "end1 tailer0 leaf0");
        }
    CHECK(throws_runtime_error([](int) { return stub_middle1(0); }));
    harness_expect("before", "thrower1! middle10!");
    auto thrown = traced("tail_thrower", tail_thrower);
    CHECK(throws_runtime_error([=](int) { return thrown(5); }));
    CHECK(stub_leaf(1) == 2);
    harness_expect("throw out of a tail call",
                   "thrower1! tail_thrower0! leaf0");
}

static void test_tail_recursion()
{
    stub_ping = traced("ping", ping);
    stub_pong = traced("pong", pong);
    CHECK(stub_ping(20) == 77);
    CHECK(harness_depth() == 0);
    int count = 0;
    harness_record record;
    while (harness_next(&record))
        count++;
    CHECK(count == 21);
    // would overflow the stack if each took a frame
    CHECK(stub_ping(300000) == 77);
    CHECK(harness_depth() == 0);
    for (count = 0; harness_next(&record); count++)
        CHECK(record.t1 >= record.t0);
    CHECK((uint64_t)count + harness_counted("ping") +
              harness_counted("pong") ==
          300001);
}

static long (*stub_factorial)(long);
FUNCTION static long factorial(long n)
{
    return n < 2 ? 1 : n * stub_factorial(n - 1);
}
static void test_recursion()
{
    harness_record record;
    stub_factorial = traced("factorial", factorial);
    CHECK(stub_factorial(4) == 24);
    harness_expect("recursion",
                   "factorial3 factorial2 factorial1 factorial0");
    stub_factorial(1000); // deeper than there are open entries
    int count = 0, at_cap = 0;
    for (; harness_next(&record); count++)
        at_cap += record.depth == 255;
    CHECK(count == 1000);
    CHECK(at_cap == 1000 - 255);
    CHECK(harness_depth() == 0);
}

// ---- longjmp ----------------------------------------------------------------

static jmp_buf jump;
static int (*stub_jumper)(int);
FUNCTION static int jumper(int d)
{
    if (d == 0)
        longjmp(jump, 7);
    return stub_jumper(d - 1) + 1;
}
FUNCTION static int jump_inside(int)
{
    if (setjmp(jump) == 0)
        stub_jumper(2);
    return 3;
}
static void test_longjmp()
{
    stub_jumper = traced("jumper", jumper);
    if (setjmp(jump) == 0)
        stub_jumper(3);
    CHECK(stub_leaf(1) == 2);
    harness_expect("longjmp, seen by the next enter",
                   "jumper3~ jumper2~ jumper1~ jumper0~ leaf0");
    CHECK(traced("inside", jump_inside)(1) == 3);
    harness_expect("longjmp, seen by a leave",
                   "jumper3~ jumper2~ jumper1~ inside0");
    CHECK(harness_depth() == 0);
}

// ---- fibers -------------------------------------------------------------------

static ucontext_t fiber_main, fiber[2];
static void (*stub_fiber)(int);
FUNCTION static void fiber_body(int id)
{
    for (int i = 0; i < 3; i++) {
        stub_leaf(i);
        swapcontext(&fiber[id], &fiber_main);
    }
}
static void fiber_start(int id)
{
    stub_fiber(id);
}
FUNCTION static int scheduler(int n)
{
    for (int i = 0; i < 3; i++)
        for (auto &f : fiber)
            swapcontext(&fiber_main, &f);
    return n;
}
static void test_fibers()
{
    static char stack[2][65536];
    stub_fiber = traced("fiber", fiber_body);
    for (int i = 0; i < 2; i++) {
        getcontext(&fiber[i]);
        fiber[i].uc_stack.ss_sp = stack[i];
        fiber[i].uc_stack.ss_size = sizeof stack[i];
        fiber[i].uc_link = &fiber_main;
        makecontext(&fiber[i], (void (*)())fiber_start, 1, i);
    }
    CHECK(traced("scheduler", scheduler)(5) == 5);
    CHECK(stub_leaf(1) == 2);
    // the fibers are open still: one call stands above them in the lane
    harness_expect("fibers open", "leaf2 leaf3 leaf3 leaf3 leaf3 leaf3 "
                                  "scheduler0 leaf3");
    swapcontext(&fiber_main, &fiber[0]);
    swapcontext(&fiber_main, &fiber[1]);
    harness_expect("fibers ended", "fiber1 fiber2");
    CHECK(harness_depth() == 0);
}

// ---- signals ---------------------------------------------------------------------

static long (*stub_in_signal)(long);
FUNCTION static long in_signal(long x)
{
    return x;
}
static void on_signal(int)
{
    stub_in_signal(1);
}
FUNCTION static int raiser(int)
{
    raise(SIGUSR1);
    return 3;
}
static void test_signal_stack()
{
    stack_t stack = {};
    struct sigaction action = {};
    harness_record child, parent;
    stub_in_signal = traced("in_signal", in_signal);
    stack.ss_size = 65536;
    stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, nullptr);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    CHECK(traced("raiser", raiser)(1) == 3);
    CHECK(harness_next(&child) && harness_next(&parent));
    CHECK(text_is(child.name, "in_signal") && text_is(parent.name, "raiser"));
    CHECK(child.parent == parent.span && child.depth == 1);
}

// ---- fork --------------------------------------------------------------------------

FUNCTION static int forker(int x)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        stub_leaf(1);
        return 1000; // its leave is the parent's span
    }
    int status;
    waitpid(pid, &status, 0);
    return x + WEXITSTATUS(status);
}
// The child makes no traced call of its own before it leaves.
FUNCTION static int bare_forker(int)
{
    fflush(stdout);
    pid_t pid = fork();
    int status = 0;
    if (pid != 0)
        waitpid(pid, &status, 0);
    return pid == 0 ? 1000 : WEXITSTATUS(status);
}
static void test_bare_fork()
{
    uint64_t records = 0;
    harness_record record;
    auto fork_it = traced("bare", bare_forker);
    int result = fork_it(1);
    if (result == 1000) {
        while (harness_next(&record))
            records++;
        _exit(records == 0 && harness_depth() == 1 ? 17 : 18);
    }
    CHECK(result == 17);
    harness_expect("fork", "bare0"); // one record: its own
}
static void test_fork()
{
    uint32_t lane = harness_lane();
    int result = traced("forker", forker)(1);
    if (result == 1000) {
        CHECK(harness_lane() != lane);
        CHECK(stub_leaf(1) == 2);
        harness_record record;
        int count = 0;
        while (harness_next(&record)) // the lane may have been a thread's
            if (text_is(record.name, "leaf")) {
                CHECK(record.parent == harness_process_ref());
                count++;
            }
        CHECK(count == 2);
        CHECK(harness_processes() == 2);
        _exit(harness_failures ? 18 : 17);
    }
    CHECK(result == 18);
    CHECK(harness_lane() == lane);
    harness_expect("fork", "forker0");
}

// ---- threads that end under a handler --------------------------------------------

static int threads_failed;
static void check_ended(void *what)
{
    if (!text_is(harness_text(), (const char *)what)) {
        fprintf(stderr, "thread: expected %s, got otherwise\n",
                (const char *)what);
        threads_failed++;
    }
}
static pthread_barrier_t barrier;
FUNCTION static void *endless(void *)
{
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
    return nullptr;
}
static void *(*stub_endless)(void *), *(*stub_guarded)(void *);
static void *(*stub_exiter)(void *);
static int thread_guards;
FUNCTION static void *guarded_endless(void *arg)
{
    Guard guard{&thread_guards};
    return stub_endless(arg);
}
FUNCTION static void *exiter(void *)
{
    pthread_exit((void *)5);
}
static void *run_cancelled(void *)
{
    pthread_cleanup_push(check_ended, (void *)"endless1^ guarded0^");
    stub_guarded(nullptr);
    pthread_cleanup_pop(0);
    return nullptr;
}
static void *run_exiter(void *)
{
    pthread_cleanup_push(check_ended, (void *)"exiter0^");
    stub_exiter(nullptr);
    pthread_cleanup_pop(0);
    return nullptr;
}
static void test_cancel()
{
    pthread_t thread;
    void *result;
    stub_endless = traced("endless", endless);
    stub_guarded = traced("guarded", guarded_endless);
    stub_exiter = traced("exiter", exiter);
    pthread_barrier_init(&barrier, nullptr, 2);
    pthread_create(&thread, nullptr, run_cancelled, nullptr);
    pthread_barrier_wait(&barrier);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    CHECK(result == PTHREAD_CANCELED && thread_guards == 1);
    pthread_create(&thread, nullptr, run_exiter, nullptr);
    pthread_join(thread, &result);
    CHECK(result == (void *)5);
    CHECK(threads_failed == 0);
}

// ---- unwinding, errno --------------------------------------------------------------

static int (*stub_trace)(int);
FUNCTION static int trace_depth(int)
{
    void *frames[64];
    return backtrace(frames, 64);
}
FUNCTION static int trace_outer(int x)
{
    int n = stub_trace(x);
    asm volatile(""); // no tail call
    return n;
}
FUNCTION static int trace_plain(int x)
{
    int (*volatile plain)(int) = trace_depth;
    int n = plain(x);
    asm volatile("");
    return n;
}
static void test_backtrace()
{
    auto outer = traced("outer", trace_outer);
    stub_trace = traced("trace", trace_depth);
    int plain = trace_plain(1), deep = outer(1);
    CHECK(deep == plain + 2); // a frame for each traced call
    harness_expect("backtrace", "trace1 outer0");
}

FUNCTION static int set_errno(int e)
{
    int before = errno;
    errno = e;
    return before;
}
static void *errno_thread(void *)
{
    auto set = traced("set_errno", set_errno);
    errno = 71;
    CHECK(set(72) == 71); // attaching kept it
    CHECK(errno == 72);
    return nullptr;
}
static void test_errno()
{
    pthread_t thread;
    pthread_create(&thread, nullptr, errno_thread, nullptr);
    pthread_join(thread, nullptr);
}

int main(int argc, char **argv)
{
    harness_start(argc > 1 ? argv[1] : "F");
    if (__builtin_cpu_supports("avx512f"))
        test_512(); // first of all: with the slow way of attaching
    if (__builtin_cpu_supports("avx"))
        test_256();
    test_memory();
    test_x87();
    test_registers();
    test_variadic();
    test_kept_registers();
    CHECK(call_misaligned(traced("nothing", nothing)) == 7);
    harness_expect("misaligned", "nothing0");
    test_exceptions();
    test_exception_types();
    test_tail_calls();
    test_tail_recursion();
    test_recursion();
    test_longjmp();
    test_fibers();
    test_signal_stack();
    test_bare_fork();
    test_fork();
    test_cancel();
    test_backtrace();
    test_errno();
    CHECK(harness_depth() == 0);
    return harness_end();
}
