// SPDX-License-Identifier: Apache-2.0
/*
 * Forty and more ways to fail: fail CASE. Handlers are `job` and, below it,
 * `step`; a marker says where the truth is: catalogue.py reads the lines.
 * Nothing here may end in a tail call: the frame would be gone for everybody.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define OUT __attribute__((noinline))
#define STAY __asm__ volatile("" ::: "memory")

int lib_call(const char *path, int *to);
static volatile int zero;
static char *volatile nowhere = (char *)0x10;

/* ---- calls that fail ----------------------------------------------------- */

OUT static int c_open(void)
{
    int fd = open("/nonexistent/x.csv", O_RDONLY); /* @open */
    STAY;
    return fd;
}
OUT static int c_open_write(void)
{
    int fd = open("/proc", O_WRONLY); /* @open_write */
    STAY;
    return fd;
}
OUT static int c_openat(void)
{
    int fd = openat(AT_FDCWD, "/nonexistent", O_RDONLY); /* @openat */
    STAY;
    return fd;
}
OUT static int c_fopen(void)
{
    FILE *f = fopen("/nonexistent/y", "r"); /* @fopen */
    STAY;
    return f ? 0 : -1;
}
OUT static int c_opendir(void)
{
    DIR *d = opendir("/nonexistent"); /* @opendir */
    STAY;
    return d ? 0 : -1;
}
OUT static int c_read(void)
{
    char c;
    int n = (int)read(-1, &c, 1); /* @read */
    STAY;
    return n;
}
OUT static int c_full(void)
{
    int fd = open("/dev/full", O_WRONLY);
    int n = (int)write(fd, "12345678", 8); /* @full */
    STAY;
    close(fd);
    return n;
}
OUT static int c_connect(void)
{
    struct sockaddr_un to = {AF_UNIX, "/nonexistent/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int n = connect(fd, (void *)&to, sizeof to); /* @connect */
    STAY;
    close(fd);
    return n;
}
OUT static int c_mkdir(void)
{
    int n = mkdir("/proc", 0755); /* @mkdir */
    STAY;
    return n;
}
OUT static int c_rename(void)
{
    int n = rename("/nonexistent/a", "/nonexistent/b"); /* @rename */
    STAY;
    return n;
}
OUT static int c_unlink(void)
{
    int n = unlink("/nonexistent/a"); /* @unlink */
    STAY;
    return n;
}
OUT static int c_mmap(void)
{
    void *p = mmap(NULL, 8, PROT_READ, MAP_PRIVATE, -1, 0); /* @mmap */
    STAY;
    return p == MAP_FAILED ? -1 : 0;
}
static inline __attribute__((always_inline)) int inner_inline(const char *path)
{
    volatile int before = 1; /* at its first instruction gdb would still show
                                the function around it */
    int fd = open(path, O_RDONLY); /* @inlined */
    STAY;
    return before ? fd : 0;
}
OUT static int c_inlined(void)
{
    int n = inner_inline("/nonexistent/i"); /* @inlined_at */
    STAY;
    return n;
}
/* The last one counts: the first may have been a look whether it is there. */
OUT static int c_two(void)
{
    int n = open("/nonexistent/first", O_RDONLY);
    (void)open("/nonexistent/second", O_RDONLY); /* @two */
    STAY;
    return n;
}
OUT static int c_lib(void)
{
    int n = lib_call("/nonexistent/lib", NULL);
    STAY;
    return n;
}
static int (*plugin(void))(const char *, int *)
{
    void *so = dlopen("./plugin.so", RTLD_NOW);
    int (*call)(const char *, int *);
    *(void **)&call = so ? dlsym(so, "plugin_call") : NULL;
    return call;
}
OUT static int c_plugin(void)
{
    int n = plugin()("/nonexistent/plugin", NULL);
    STAY;
    return n;
}
/* No library call fails: only the rule knows. */
OUT static int c_code(void)
{
    STAY;
    return -EPROTO;
}

/* ---- signals ------------------------------------------------------------- */

OUT static int s_write(void)
{
    *nowhere = 1; /* @segv_write */
    STAY;
    return 0;
}
OUT static int s_read(void)
{
    int c = *nowhere; /* @segv_read */
    STAY;
    return c;
}
OUT static int s_rodata(void)
{
    static const char text[] = "constant";
    *(volatile char *)(size_t)text = 'C'; /* @segv_rodata */
    STAY;
    return 0;
}
OUT static int s_jump(void)
{
    void (*volatile nothing)(void) = NULL;
    nothing(); /* @jump */
    STAY;
    return 0;
}
OUT static int s_fpe(void)
{
    volatile int one = 1;
    volatile int n = one / zero; /* @fpe */
    STAY;
    return n;
}
OUT static int s_ill(void)
{
    __asm__ volatile("ud2"); /* @ill */
    STAY;
    return 0;
}
OUT static int s_bus(void)
{
    int fd = memfd_create("short", 0);
    volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    int c = p[8]; /* @bus */
    STAY;
    return c;
}
OUT static int s_abort(void)
{
    abort(); /* @abort */
    return 0;
}
OUT static int s_assert(void)
{
    assert(zero == 1); /* @assert */
    STAY;
    return 0;
}
OUT static int s_sys(void)
{
    raise(SIGSYS); /* @sys */
    STAY;
    return 0;
}
OUT static int s_memcpy(void)
{
    static char to[64];
    memcpy(to, nowhere, (size_t)(60 + zero)); /* @memcpy */
    STAY;
    return to[3];
}
OUT static int s_free(void)
{
    char *volatile p = malloc(32);
    free(p);
    free(p); /* @free */
    STAY;
    return 0;
}
OUT static int s_lib(void)
{
    int n = lib_call(NULL, (int *)(void *)nowhere);
    STAY;
    return n;
}
OUT static int s_plugin(void)
{
    int n = plugin()(NULL, (int *)(void *)nowhere);
    STAY;
    return n;
}

/* ---- deaths -------------------------------------------------------------- */

OUT static int d_exit(void)
{
    exit(3);
}
OUT static int d_underscore(void)
{
    _exit(4);
}
OUT static int d_quick(void)
{
    quick_exit(5);
}
OUT static int d_exec(void)
{
    return execl("/bin/false", "false", NULL);
}
OUT static int d_kill(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}
OUT static int d_term(void)
{
    kill(getpid(), SIGTERM);
    for (;;)
        pause();
}

/* ---- what takes too long: until standard input ends ---------------------- */

static volatile int done;
static sem_t ended;
static void *wait_for_input(void *nothing)
{
    char c;
    while (read(0, &c, 1) > 0)
        ;
    done = 1;
    sem_post(&ended);
    return nothing;
}
OUT static int l_read(void)
{
    char c;
    int n = (int)read(0, &c, 1); /* @read_long */
    STAY;
    return n;
}
OUT static int l_wait(void)
{
    int n = sem_wait(&ended); /* @wait_long */
    STAY;
    return n;
}
OUT static int l_spin(void)
{
    while (!done) { } /* @spin_long */
    STAY;
    return 0;
}
OUT static int wait_as(const char *name)
{
    pthread_t helper;
    int n = 0;
    if (strstr(name, "read")) {
        n = l_read();
    } else {
        sem_init(&ended, 0, 0);
        pthread_create(&helper, NULL, wait_for_input, NULL);
        n = strstr(name, "wait") ? l_wait() : l_spin();
        pthread_join(helper, NULL);
    }
    STAY;
    return n;
}
OUT int late(const char *name)
{
    int n = wait_as(name);
    STAY;
    return n;
}
OUT int late_stop(const char *name)
{
    int n = wait_as(name);
    STAY;
    return n;
}

/* ---- the handlers -------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {
    {"open", c_open},         {"open_write", c_open_write},
    {"openat", c_openat},     {"fopen", c_fopen},
    {"opendir", c_opendir},   {"read", c_read},
    {"full", c_full},         {"connect", c_connect},
    {"mkdir", c_mkdir},       {"rename", c_rename},
    {"unlink", c_unlink},     {"mmap", c_mmap},
    {"inlined", c_inlined},   {"two", c_two},
    {"lib", c_lib},           {"plugin", c_plugin},
    {"code", c_code},         {"segv_write", s_write},
    {"segv_read", s_read},    {"segv_rodata", s_rodata},
    {"jump", s_jump},         {"fpe", s_fpe},
    {"ill", s_ill},           {"bus", s_bus},
    {"abort", s_abort},       {"assert", s_assert},
    {"sys", s_sys},           {"memcpy", s_memcpy},
    {"free", s_free},         {"segv_lib", s_lib},
    {"segv_plugin", s_plugin}, {"exit", d_exit},
    {"_exit", d_underscore},  {"quick_exit", d_quick},
    {"exec", d_exec},         {"kill", d_kill},
    {"term", d_term},
};

OUT int step(const char *name, int number)
{
    if (strstr(name, "_long")) {
        int n = strstr(name, "_stop") ? late_stop(name) : late(name);
        STAY;
        return n;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, name) == 0) {
            int result = cases[i].run(); /* @step */
            fprintf(stderr, "step: %s failed\n", name);
            return result;
        }
    return number;
}

/* The number of the step comes back in `left`. */
OUT int job(const char *name, int *left)
{
    int result = step(name, 7); /* @job */
    *left = result < 0 ? 5 : 0;
    STAY;
    return 0;
}

static void *in_thread(void *name)
{
    int left;
    job(name, &left); /* @thread */
    STAY;
    return NULL;
}

static ucontext_t home, fiber;
static const char *fiber_case;
static void in_fiber(void)
{
    int left;
    job(fiber_case, &left); /* @fiber */
    STAY;
}
static void run_fiber(const char *name)
{
    static char stack[256 * 1024];
    fiber_case = name;
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = stack;
    fiber.uc_stack.ss_size = sizeof stack;
    fiber.uc_link = &home;
    makecontext(&fiber, in_fiber, 0);
    swapcontext(&home, &fiber);
}

int main(int argc, char **argv)
{
    const char *how = argc > 2 ? argv[2] : "main";
    int left;
    if (argc < 2)
        return 2;
    if (strcmp(how, "thread") == 0) {
        pthread_t t;
        pthread_create(&t, NULL, in_thread, argv[1]);
        pthread_join(t, NULL);
    } else if (strcmp(how, "fork") == 0) {
        if (fork() == 0) {
            job(argv[1], &left); /* @fork */
            _exit(0);
        }
        wait(NULL);
    } else if (strcmp(how, "fiber") == 0) {
        run_fiber(argv[1]);
    } else {
        job(argv[1], &left); /* @main */
    }
    return 0;
}
