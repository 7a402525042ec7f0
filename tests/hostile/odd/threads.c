// SPDX-License-Identifier: Apache-2.0
/* Threads: how they begin and end, and tasks that are none of libc's. */
#include "odd.h"
#include <dlfcn.h>
#include <linux/sched.h>

static volatile int ended, has_begun;

static void cleaned(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
}

static void *spin(void *unused)
{
    pthread_cleanup_push(cleaned, unused);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    has_begun = 1;
    for (int i = 0;; i++) {
        work(i);
        look("some text");
    }
    pthread_cleanup_pop(1);
    return unused;
}

static int async_cancel(char **argv)
{
    (void)argv;
    for (int i = 0; i < 60; i++) {
        pthread_t thread;
        void *result;
        has_begun = 0;
        if (pthread_create(&thread, NULL, spin, NULL) != 0)
            return 5;
        while (!has_begun)
            sched_yield();
        for (volatile int k = 0; k < i * 150; k++)
            ;
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED)
            return 6;
    }
    printf("%d\n", ended);
    return 0;
}

static int pipe_ends[2];

static int wait_in_read(int n)
{
    char byte;
    pthread_cleanup_push(cleaned, NULL);
    has_begun = 1;
    while (read(pipe_ends[0], &byte, 1) >= 0)
        n++;
    pthread_cleanup_pop(0);
    return n;
}

static void *read_below(void *unused)
{
    wide(5, wait_in_read);
    return unused;
}

/* Cancelled in a call of libc below open handlers. */
static int cancel_below(char **argv)
{
    (void)argv;
    if (pipe(pipe_ends) != 0)
        return CANNOT;
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        void *result;
        has_begun = 0;
        if (pthread_create(&thread, NULL, read_below, NULL) != 0)
            return 5;
        while (!has_begun)
            sched_yield();
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED)
            return 6;
    }
    printf("%d\n", ended);
    return 0;
}

static void leave_thread(int number)
{
    work(number);
    pthread_exit((void *)5);
}

static void *loop(void *unused)
{
    has_begun = 1;
    for (int i = 0;; i++) {
        work(i);
        look("x");
    }
    return unused;
}

static int thread_exit_in_handler(char **argv)
{
    (void)argv;
    long sum = 0;
    handle(SIGUSR1, leave_thread, 0);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        void *result;
        has_begun = 0;
        if (pthread_create(&thread, NULL, loop, NULL) != 0)
            return 5;
        while (!has_begun)
            sched_yield();
        pthread_kill(thread, SIGUSR1);
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
    return 0;
}

/* ---- tasks that share memory and thread-local storage -------------------- */

enum {
    TASK_STACK = 65536
};

static char *task_stack(void)
{
    return mmap(NULL, TASK_STACK, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
}

static int count_up(void *to)
{
    for (int i = 0; i < 20000; i++)
        *(int *)to += work(i) - i;
    return 0;
}

static int clone_shares_tls(char **argv)
{
    (void)argv;
    static int theirs, mine;
    int pid =
        clone(count_up, task_stack() + TASK_STACK, CLONE_VM | SIGCHLD, &theirs);
    count_up(&mine);
    status_of(pid);
    printf("%d %d\n", theirs, mine);
    return 0;
}

static long raw_clone3(struct clone_args *args, int (*fn)(void *), void *arg)
{
    register long rax __asm__("rax") = SYS_clone3;
    register void *r8 __asm__("r8") = (void *)fn;
    register void *r9 __asm__("r9") = arg;
    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "xor %%ebp, %%ebp\n"
                     "mov %%r9, %%rdi\n"
                     "call *%%r8\n"
                     "mov %%eax, %%edi\n"
                     "mov $60, %%eax\n"
                     "syscall\n"
                     "1:"
                     : "+r"(rax), "+r"(r8), "+r"(r9)
                     : "D"(args), "S"(sizeof *args)
                     : "rcx", "r11", "r10", "memory");
    return rax;
}

static int clone3_by_hand(char **argv)
{
    (void)argv;
    static int tid = 1, first, second;
    char *stack = task_stack();
    struct clone_args process = {.flags = CLONE_VM | CLONE_VFORK,
                                 .exit_signal = SIGCHLD,
                                 .stack = (uintptr_t)stack,
                                 .stack_size = TASK_STACK};
    struct clone_args thread = {.flags = CLONE_VM | CLONE_FS | CLONE_FILES |
                                         CLONE_SIGHAND | CLONE_THREAD |
                                         CLONE_SYSVSEM | CLONE_CHILD_CLEARTID,
                                .child_tid = (uintptr_t)&tid,
                                .stack = (uintptr_t)stack,
                                .stack_size = TASK_STACK};
    long pid = raw_clone3(&process, count_up, &first);
    if (pid < 0)
        return CANNOT;
    status_of((pid_t)pid);
    if (raw_clone3(&thread, count_up, &second) < 0)
        return CANNOT;
    while (__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
        sched_yield();
    printf("%d %d %d\n", first, second, work(1));
    return 0;
}

/* ---- ends ---------------------------------------------------------------- */

static pthread_key_t key;

static void set_again(void *value)
{
    static int rounds;
    work(1);
    if (++rounds < 100)
        pthread_setspecific(key, value);
}

static void *with_key(void *value)
{
    pthread_setspecific(key, value);
    return (void *)(intptr_t)work(1);
}

static int key_destructors(char **argv)
{
    (void)argv;
    pthread_key_create(&key, set_again);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, with_key, &key);
        pthread_join(thread, NULL);
    }
    printf("%d\n", work(1));
    return 0;
}

static int main_thread_ends(char **argv)
{
    (void)argv;
    pthread_t thread;
    if (strcmp(argv[2], "beside") == 0)
        return CANNOT; /* that one never ends */
    pthread_create(&thread, NULL, with_key, &key);
    work(1);
    pthread_join(thread, NULL);
    pthread_exit(NULL);
}

static void *work_once(void *n)
{
    return (void *)(intptr_t)work((int)(intptr_t)n);
}

static int small_stacks(char **argv)
{
    (void)argv;
    long sum = 0;
    for (int i = 0; i < 100; i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        void *result;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 16384 + (size_t)(i % 4) * PAGE);
        pthread_attr_setguardsize(&attributes, i % 2 ? 0 : PAGE);
        if (pthread_create(&thread, &attributes, work_once,
                           (void *)(intptr_t)i) != 0)
            return 5;
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
    return 0;
}

static int many_threads(char **argv)
{
    (void)argv;
    enum {
        COUNT = 200
    };
    static pthread_t threads[COUNT];
    long sum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (intptr_t i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], &attributes, work_once, (void *)i) != 0)
            return 5;
    for (int i = 0; i < COUNT; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
    return 0;
}

static sigjmp_buf thread_back;
static void jump_back(int number)
{
    siglongjmp(thread_back, number);
}

static void *overflow(void *unused)
{
    static char room[65536];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    sigaltstack(&stack, NULL);
    for (volatile int i = 0; i < 3; i++)
        if (sigsetjmp(thread_back, 1) == 0)
            deep(1 << 30);
        else
            ended++;
    return unused;
}

/* A thread's own stack runs over, on its own alternate stack. */
static int thread_overflows(char **argv)
{
    (void)argv;
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    handle(SIGSEGV, jump_back, SA_ONSTACK);
    pthread_create(&thread, &attributes, overflow, NULL);
    pthread_join(thread, NULL);
    printf("%d\n", ended);
    return 0;
}

/* ---- another libc in the same process ------------------------------------ */

static int namespaces(char **argv)
{
    (void)argv;
    void *other = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW | RTLD_LOCAL);
    if (!other)
        return CANNOT;
    int (*compute)(const char *) = (int (*)(const char *))dlsym(other, "atoi");
    pid_t (*fork_there)(void) = (pid_t(*)(void))dlsym(other, "fork");
    if (!compute || !fork_there)
        return CANNOT;
    int got = compute("41") + works(10);
    fflush(stdout);
    pid_t pid = fork_there(); /* not the fork that anyone listens to */
    if (pid == 0)
        _exit(work(6));
    got += status_of(pid) >> 8;
    printf("%d %d\n", got, dlclose(other));
    return 0;
}

static void *fork_now(void *unused)
{
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(work(i) & 3);
        ended += status_of(pid) >> 8;
    }
    return unused;
}

static int forks_in_threads(char **argv)
{
    (void)argv;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, fork_now, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%d\n", ended > 0);
    return 0;
}

const struct way thread_ways[] = {
    {"async-cancel", async_cancel},
    {"cancel-below", cancel_below},
    {"thread-exit-in-handler", thread_exit_in_handler},
    {"clone-shares-tls", clone_shares_tls},
    {"clone3-by-hand", clone3_by_hand},
    {"key-destructors", key_destructors},
    {"main-thread-ends", main_thread_ends},
    {"small-stacks", small_stacks},
    {"many-threads", many_threads},
    {"thread-overflows", thread_overflows},
    {"namespaces", namespaces},
    {"forks-in-threads", forks_in_threads},
    {NULL, NULL},
};
