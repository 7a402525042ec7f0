// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that lock themselves in: what is left to them is theirs alone.
 */
#include "odd.h"
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static int install(struct sock_filter *code, unsigned short len, unsigned flags)
{
    const struct sock_fprog program = {len, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* ---- a filter against one object ----------------------------------------- */

/* Where the preloaded library's code lies; false: it is not there. */
static bool find_library(uint64_t *low, uint64_t *high)
{
    char line[512], rights[8];
    FILE *maps = fopen("/proc/self/maps", "re");
    bool is_found = false;
    while (maps && !is_found && fgets(line, sizeof(line), maps))
        is_found = sscanf(line, "%lx-%lx %7s", low, high, rights) == 3 &&
                   strchr(rights, 'x') && strstr(line, "libhandspan");
    if (maps)
        fclose(maps);
    return is_found;
}

/* Whoever calls the kernel from there is killed; the rest may do all. */
static bool forbid_library(void)
{
    uint64_t low, high;
    if (!find_library(&low, &high))
        low = high = 1;
    if (low >> 32 != (high - 1) >> 32)
        high = low | 0xffffffff; /* one part is enough */
    const unsigned ip = offsetof(struct seccomp_data, instruction_pointer);
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(low >> 32), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)low, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)high, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(code, sizeof(code) / sizeof(*code), 0) == 0;
}

static int many_open(int n)
{
    return wide(3000 + n, work);
}

static void *in_thread(void *text)
{
    int sum = works(1000);
    for (int i = 0; i < 100; i++)
        sum += look(text);
    return (void *)(intptr_t)(sum + many_open(0));
}

static void on_fiber(void)
{
    printf("%d\n", many_open(1));
}

static int part_threads(char **argv)
{
    char *text = malloc(100000);
    pthread_t thread;
    void *got;
    strcpy(text, "heap");
    if (pthread_create(&thread, NULL, in_thread, text) != 0)
        return 5;
    pthread_join(thread, &got);
    printf("%ld %d %s\n", (long)got, many_open(work(2)), argv[1]);
    return 0;
}

static int part_fibers(char **argv)
{
    (void)argv;
    char *room = malloc(4 << 20);
    on_stack(room, 4 << 20, on_fiber);
    return 0;
}

static sigjmp_buf back;
static void jump(int number)
{
    siglongjmp(back, work(number));
}

static int part_signals(char **argv)
{
    (void)argv;
    static char room[65536];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    struct sigaction was;
    int sum = sigaltstack(&stack, NULL);
    for (int i = 0; i < 3; i++) {
        handle(SIGSEGV, jump, SA_ONSTACK | (i == 2 ? SA_RESETHAND : 0));
        int number = sigsetjmp(back, 1);
        if (number == 0)
            *(volatile int *)8 = work(1);
        sum += number;
    }
    sigaction(SIGSEGV, NULL, &was);
    handle(SIGABRT, jump, 0);
    if (sigsetjmp(back, 1) == 0)
        abort();
    printf("%d %d\n", sum, was.sa_handler == SIG_DFL);
    return 0;
}

static int part_processes(char **argv)
{
    char *const child[] = {argv[0], "child", "quiet", NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        exit(works(3));
    int sum = status_of(pid);
    pid = vfork();
    if (pid == 0)
        _exit(work(1));
    sum += status_of(pid);
    pid = fork();
    if (pid == 0) {
        unsetenv("LD_PRELOAD"); /* what it does at its start is another thing */
        execv("/proc/self/exe", child);
        _exit(9);
    }
    sum += status_of(pid);
    int status = system("exit 3");
    printf("%d %d %d\n", sum, status, prctl(PR_SET_TSC, 99));
    return 0;
}

static int part_objects(char **argv)
{
    (void)argv;
    for (int i = 0; i < 3; i++) {
        void *object = dlopen("libm.so.6", RTLD_NOW);
        double (*fn)(double) =
            object ? (double (*)(double))dlsym(object, "cos") : NULL;
        double got = fn ? fn(0) : -1;
        printf("%g %d\n", got, object ? dlclose(object) : -1);
        work(i);
    }
    printf("%d %d\n", dlopen("libnone.so", RTLD_NOW) == NULL,
           dlerror() != NULL);
    return 0;
}

static int part_memory(char **argv)
{
    (void)argv;
    int got = many_open(1);
    printf("%d\n", got);
    got = look((const char *)(uintptr_t)0x123456789000);
    got += open("/nonexistent/file", O_RDONLY);
    printf("%d %d\n", got, deep(20000));
    return 0;
}

static int part_filters(char **argv)
{
    (void)argv;
    int got = prctl(PR_SET_TSC, PR_TSC_ENABLE);
    got += forbid_library(); /* a second one */
    got += prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("%d %d\n", got, works(10));
    raise(SIGUSR1); /* ends it */
    return 0;
}

/* In a child each: with a first call before it, and without. */
static int ours_forbidden(char **argv)
{
    static int (*const parts[])(char **) = {
        part_threads, part_fibers, part_signals, part_processes,
        part_objects, part_memory, part_filters};
    for (size_t i = 0; i < 2 * sizeof(parts) / sizeof(*parts); i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            if (i % 2)
                work(1);
            if (!forbid_library())
                exit(CANNOT);
            exit(parts[i / 2](argv));
        }
        int status = status_of(pid);
        printf("%zu %x\n", i, (unsigned)status);
    }
    return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static int strict(char **argv)
{
    (void)argv;
    int sum = work(1);
    printf("%d\n", sum);
    fflush(stdout);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    sum += works(1000) + wide(3000, work);
    for (int i = 0; i < 100; i++)
        sum += look("q");
    if (write(1, sum ? "y\n" : "n\n", 2) != 2)
        syscall(SYS_exit, 5);
    syscall(SYS_exit, 4);
    return 0;
}

static int strict_alone(char **argv)
{
    return strcmp(argv[2], "beside") == 0 ? CANNOT : strict(argv);
}

static char is_sent;
static volatile int sent;

static void on_sent(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    is_sent = 0;
    sent++;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
}

/* System calls go to a handler of the program's, as emulators have it. */
static int dispatch(char **argv)
{
    (void)argv;
    struct sigaction action = {.sa_sigaction = on_sent, .sa_flags = SA_SIGINFO};
    char *far = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sum = works(10);
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &is_sent) != 0)
        return CANNOT;
    for (int i = 0; i < 50; i++) {
        is_sent = 1;
        sum +=
            works(100) + look("text") + look(far + i * PAGE) + wide(60, work);
        is_sent = 0;
    }
    is_sent = 1;
    sum += wide(3000, work);
    is_sent = 0;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
    printf("%d %d\n", sum, sent);
    return 0;
}

static int no_clock(char **argv)
{
    (void)argv;
    int sum = work(1);
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    sum += works(1000);
    prctl(PR_SET_TSC, PR_TSC_ENABLE);
    printf("%d\n", sum);
    return 0;
}

/* What libraries ask, to learn what the kernel knows. */
static int asks_only(char **argv)
{
    (void)argv;
    errno = 0;
    int got = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL);
    printf("%d %d\n", got, errno);
    got = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1, NULL);
    printf("%d %d %d\n", got, errno, works(10));
    return 0;
}

/* The child of vfork, in its parent's memory, is locked in; the parent is
 * not. */
static int vfork_filter(char **argv)
{
    char *const child[] = {argv[0], "child", "quiet", NULL};
    char *const none[] = {NULL};
    work(1);
    for (int i = 0; i < 3; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            if (!forbid_library())
                _exit(CANNOT);
            work(2);
            if (i == 1)
                execve("/proc/self/exe", child, none);
            _exit(work(i));
        }
        printf("%x\n", (unsigned)status_of(pid));
    }
    printf("%d\n", works(10));
    return 0;
}

/* Files are out of reach (Landlock): a new thread's, too. */
static int landlocked(char **argv)
{
    struct {
        uint64_t handled;
    } rules = {0x1fff};
    int fd = (int)syscall(444, &rules, sizeof(rules), 0);
    work(1);
    if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(446, fd, 0) != 0)
        return CANNOT;
    close(fd);
    int got = part_threads(argv);
    printf("%d %d\n", got, open("/proc/self/maps", O_RDONLY));
    return 0;
}

const struct way filter_ways[] = {
    {"ours-forbidden", ours_forbidden},
    {"strict", strict_alone},
    {"dispatch", dispatch},
    {"no-clock", no_clock},
    {"asks-only", asks_only},
    {"vfork-filter", vfork_filter},
    {"landlocked", landlocked},
    {NULL, NULL},
};
