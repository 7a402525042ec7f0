// SPDX-License-Identifier: Apache-2.0
/* Stacks that a program makes, leaves and comes back to as it likes. */
#include "odd.h"
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

static volatile int hits, sum;

/* ---- contexts of 4 and 8 KiB ----------------------------------------------
 */

static ucontext_t main_context, contexts[40];
static char rooms[40][2 * PAGE] __attribute__((aligned(4096)));

static int yield_there(int n)
{
    swapcontext(&contexts[n], &main_context);
    return work(n);
}

static int each_below(int n)
{
    return yield_there(n) + look("in a context");
}

static void small_context(int n)
{
    for (int round = 0; round < 3; round++)
        sum += each_below(n) + work(n);
}

static int small_contexts(char **argv)
{
    (void)argv;
    for (int i = 0; i < 40; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = rooms[i];
        contexts[i].uc_stack.ss_size = i % 2 ? PAGE : 2 * PAGE;
        contexts[i].uc_link = &main_context;
        makecontext(&contexts[i], (void (*)(void))(void *)small_context, 1, i);
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < 40; i++)
            swapcontext(&main_context, &contexts[i]);
    printf("%d\n", sum);
    return 0;
}

/* ---- a timer that switches ------------------------------------------------
 */

static ucontext_t green[3];
static volatile int now_runs, switches, counted[3];
enum {
    GREEN_ROOM = 256 << 10
};

static void switch_green(int number)
{
    int was = now_runs;
    (void)number;
    if (++switches > 400)
        return;
    now_runs = was == 1 ? 2 : 1;
    swapcontext(&green[was], &green[now_runs]);
}

static void green_thread(int me)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (switches < 400) {
        counted[me] += work(me) - me;
        look("green");
        mean(me);
    }
    setcontext(&green[0]);
}

/* Threads of the program's own, switched by a timer wherever they are. */
static int preempted(char **argv)
{
    (void)argv;
    struct itimerval timer = {{0, 150}, {0, 150}};
    static volatile int is_back;
    for (int i = 1; i < 3; i++) {
        getcontext(&green[i]);
        green[i].uc_stack.ss_sp = malloc(GREEN_ROOM);
        green[i].uc_stack.ss_size = GREEN_ROOM;
        sigaddset(&green[i].uc_sigmask, SIGALRM);
        makecontext(&green[i], (void (*)(void))(void *)green_thread, 1, i);
    }
    handle(SIGALRM, switch_green, SA_RESTART);
    now_runs = 1;
    getcontext(&green[0]);
    if (!is_back) {
        is_back = 1;
        /* not before one of them runs */
        sigprocmask(SIG_BLOCK, &green[1].uc_sigmask, NULL);
        setitimer(ITIMER_REAL, &timer, NULL);
        setcontext(&green[1]);
    }
    memset(&timer, 0, sizeof(timer));
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%d %d\n", switches >= 400, counted[1] > 0);
    return 0;
}

static sigjmp_buf out;
static void jump_out(int number)
{
    hits++;
    siglongjmp(out, number);
}

static int computed(int n)
{
    for (;;) {
        work(n);
        look("computed");
        mean(n);
    }
}

/* A time limit for a computation, as interpreters have it. */
static int time_limit(char **argv)
{
    (void)argv;
    handle(SIGALRM, jump_out, 0);
    for (volatile int i = 0; i < 300; i++) {
        struct itimerval timer = {{0, 0}, {0, 40 + 7 * i % 300}};
        if (sigsetjmp(out, 1) == 0) {
            setitimer(ITIMER_REAL, &timer, NULL);
            wide(i % 20, computed);
        }
    }
    printf("%d %d\n", hits, works(10));
    return 0;
}

/* ---- a context that another thread goes on with -------------------------- */

static ucontext_t worker_context, travelling;
static volatile int is_left;

static int leave_here(int n)
{
    for (int i = 0; i < 3; i++) {
        is_left = 1;
        swapcontext(&travelling, &worker_context);
        sum += work(n) + look("gone");
    }
    return work(n);
}

static void travels(void)
{
    sum += wide(5, leave_here);
    is_left = 2;
}

static void *take_over(void *unused)
{
    if (is_left != 2)
        swapcontext(&worker_context, &travelling);
    sum += work(1);
    return unused;
}

static int travelling_context(char **argv)
{
    (void)argv;
    getcontext(&travelling);
    travelling.uc_stack.ss_sp = malloc(GREEN_ROOM);
    travelling.uc_stack.ss_size = GREEN_ROOM;
    travelling.uc_link = &worker_context;
    makecontext(&travelling, travels, 0);
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, take_over, NULL);
        pthread_join(thread, NULL);
    }
    printf("%d %d\n", sum, is_left);
    return 0;
}

/* ---- alternate stacks of the least size ---------------------------------- */

static void on_small(int number)
{
    hits += work(number) - number;
}

/* As small as the kernel takes it, below another page that must stay. */
static int least_altstack(char **argv)
{
    (void)argv;
    size_t least = getauxval(AT_MINSIGSTKSZ);
    static unsigned char room[64 * 1024];
    int changed = 0;
    least = (least ? least : 2048) + 1024;
    memset(room, 0x77, sizeof(room));
    works(10);
    stack_t stack = {.ss_sp = room + 16384, .ss_size = least};
    if (sigaltstack(&stack, NULL) != 0)
        return CANNOT;
    handle(SIGUSR1, on_small, SA_ONSTACK);
    handle(SIGSEGV, on_small, SA_ONSTACK);
    for (int i = 0; i < 100; i++)
        raise(i % 2 ? SIGUSR1 : SIGSEGV);
    for (int i = 0; i < 16384; i++)
        changed += room[i] != 0x77;
    printf("%d %d\n", hits, changed);
    return 0;
}

static void autodisarmed(int number)
{
    stack_t now;
    if (sigaltstack(NULL, &now) == 0)
        hits += !!(now.ss_flags & SS_DISABLE);
    sum += work(number);
    if (hits < 3)
        raise(number);
}

static int autodisarm(char **argv)
{
    (void)argv;
    static char room[131072];
    stack_t stack = {
        .ss_sp = room, .ss_size = sizeof(room), .ss_flags = (int)(1U << 31)};
    stack_t now;
    if (sigaltstack(&stack, NULL) != 0)
        return CANNOT;
    handle(SIGUSR1, autodisarmed, SA_ONSTACK | SA_NODEFER);
    raise(SIGUSR1);
    sigaltstack(NULL, &now);
    printf("%d %d %x\n", hits, sum, (unsigned)now.ss_flags);
    return 0;
}

/* ---- threads that libc begins for itself ----------------------------------
 */

static void notified(union sigval value)
{
    __atomic_fetch_add(&sum, work(value.sival_int), __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&hits, 1, __ATOMIC_SEQ_CST);
}

static int timer_threads(char **argv)
{
    (void)argv;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = notified};
    const struct itimerspec when = {{0, 200000}, {0, 200000}};
    timer_t timer;
    event.sigev_value.sival_int = 4;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return CANNOT;
    timer_settime(timer, 0, &when, NULL);
    while (__atomic_load_n(&hits, __ATOMIC_SEQ_CST) < 20)
        work(1);
    timer_delete(timer);
    printf("%d\n", sum >= 100);
    return 0;
}

const struct way stack_ways[] = {
    {"small-contexts", small_contexts},
    {"preempted", preempted},
    {"time-limit", time_limit},
    {"travelling-context", travelling_context},
    {"least-altstack", least_altstack},
    {"autodisarm", autodisarm},
    {"timer-threads", timer_threads},
    {NULL, NULL},
};
