// SPDX-License-Identifier: Apache-2.0
/* Stacks, mappings and registers. */
#include "odd.h"
#include <fenv.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

static int sum;

static void on_low(void)
{
    for (int i = 0; i < 100; i++)
        sum += work(i) + look("x") + (int)mean(i);
}

static int low_stack(char **argv)
{
    (void)argv;
    enum {
        BYTES = 0x20000
    };
    void *at = mmap((void *)0x10000, BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED)
        return CANNOT;
    on_stack(at, BYTES, on_low);
    printf("%d\n", sum);
    return 0;
}

static void growing(void)
{
    sum += deep(3000) + work(1);
}

/* A stack that the kernel grows: whatever is mapped where it would go stops
 * it. */
static int grows_down(char **argv)
{
    (void)argv;
    enum {
        ROOM = 4 << 20,
        FIRST = 16384
    };
    char *room = mmap(NULL, ROOM, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    munmap(room, ROOM);
    char *at =
        mmap(room + ROOM - FIRST, FIRST, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
             -1, 0);
    if (at == MAP_FAILED)
        return CANNOT;
    on_stack(at, FIRST, growing);
    printf("%d\n", sum);
    return 0;
}

static int stack_limit(char **argv)
{
    (void)argv;
    struct rlimit limit;
    int count = deep(100);
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 256 << 10;
    setrlimit(RLIMIT_STACK, &limit);
    count += deep(100);
    limit.rlim_cur = 32 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    count += deep(60000);
    printf("%d\n", count);
    return 0;
}

/* ---- a thread that fills memory at the first touch ---------------------- */

static int served_fd;

static void *serve(void *count)
{
    static char page[PAGE];
    struct uffd_msg message;
    int left = *(int *)count;
    memset(page, 'u', PAGE - 1);
    while (left > 0 &&
           read(served_fd, &message, sizeof(message)) == sizeof(message)) {
        uint64_t at = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
        struct uffdio_copy copy = {
            .dst = at, .src = (uintptr_t)page, .len = PAGE};
        look((char *)(uintptr_t)at); /* not there yet: it would wait for us */
        ioctl(served_fd, UFFDIO_COPY, &copy);
        left--;
    }
    printf("%d left\n", left);
    return NULL;
}

static int userfault(char **argv)
{
    (void)argv;
    enum {
        BYTES = 16 * PAGE
    };
    struct uffdio_api api = {.api = UFFD_API};
    served_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (served_fd < 0)
        return CANNOT;
    char *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register of = {.range = {(uintptr_t)at, BYTES},
                                 .mode = UFFDIO_REGISTER_MODE_MISSING};
    pthread_t thread;
    int count = 2;
    if (ioctl(served_fd, UFFDIO_API, &api) != 0 ||
        ioctl(served_fd, UFFDIO_REGISTER, &of) != 0)
        return CANNOT;
    pthread_create(&thread, NULL, serve, &count);
    int got = look(at + 2 * PAGE); /* the program does not touch it */
    got += look(at - 3);           /* begins before it */
    got += at[5] + at[PAGE + 7];
    pthread_join(thread, NULL);
    printf("%d\n", got);
    return 0;
}

/* ---- floating point ------------------------------------------------------ */

static void set_mxcsr(unsigned value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static int fp_traps(char **argv)
{
    (void)argv;
    enum {
        NOTHING_MASKED = 0x0000,
        ALL_MASKED = 0x1f80
    };
    double total = 0;
    set_mxcsr(NOTHING_MASKED);
    for (int i = 0; i < 50; i++) {
        total += mean(i);
        work(i);
        look("abc");
    }
    unsigned now;
    __asm__ volatile("stmxcsr %0" : "=m"(now));
    set_mxcsr(ALL_MASKED);
    printf("%x %g\n", now, total);
    return 0;
}

static int rounding(char **argv)
{
    (void)argv;
    double total = 0;
    unsigned now;
    set_mxcsr(0x7f80); /* towards zero */
    for (int i = 0; i < 50; i++) {
        total += mean(i + 0.1);
        work(i);
    }
    __asm__ volatile("stmxcsr %0" : "=m"(now));
    set_mxcsr(0x1f80);
    printf("%.17g %x\n", total, now & 0xffc0);
    return 0;
}

/* ---- its own text and titles -------------------------------------------- */

static int huge_text(char **argv)
{
    (void)argv; /* its own text goes to other pages, as large pages are had */
    void *page = (void *)((uintptr_t)work & ~(uintptr_t)(PAGE - 1));
    char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int got = work(1);
    if (copy == MAP_FAILED)
        return CANNOT;
    memcpy(copy, page, PAGE);
    mprotect(copy, PAGE, PROT_READ | PROT_EXEC);
    if (mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) ==
        MAP_FAILED)
        return CANNOT;
    printf("%d\n", got + works(100));
    return 0;
}

static int text_writable(char **argv)
{
    (void)argv;
    void *page = (void *)((uintptr_t)work & ~(uintptr_t)(PAGE - 1));
    int got = work(1);
    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        return CANNOT;
    got += work(2);
    mprotect(page, PAGE, PROT_READ | PROT_EXEC);
    printf("%d\n", got + work(3));
    return 0;
}

static int own_titles(char **argv)
{
    extern char **environ;
    char *low = argv[0], *high = argv[0];
    int got = 0;
    for (int i = 0; argv[i]; i++)
        high = argv[i] + strlen(argv[i]);
    for (int i = 0; environ[i]; i++)
        high = environ[i] + strlen(environ[i]);
    environ = NULL;
    memset(low, 'x', (size_t)(high - low));
    for (int i = 0; i < 100; i++)
        got += work(i) + look(low);
    int status = system("exit 3");
    printf("%d %d\n", got, status >> 8);
    prctl(PR_SET_MM, PR_SET_MM_ARG_START, low + 1, 0, 0);
    return work(4);
}

static int lock_all(char **argv)
{
    (void)argv;
    int got = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    printf("%d %d\n", got, works(100));
    munlockall();
    return 0;
}

/* A page that this thread may not read now, and may again. */
static int denied_by_key(char **argv)
{
    (void)argv;
    int key = pkey_alloc(0, 0), got = 0;
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (key < 0)
        return CANNOT;
    strcpy(at, "secret");
    pkey_mprotect(at, PAGE, PROT_READ | PROT_WRITE, key);
    for (int i = 0; i < 100; i++) {
        got += look(at);
        pkey_set(key, PKEY_DISABLE_ACCESS);
        got += look(at);
        pkey_set(key, 0);
    }
    printf("%d %s\n", got, at);
    return 0;
}

/* Texts that end where the memory does, in pages that come and go. */
static int comes_and_goes(char **argv)
{
    (void)argv;
    int got = 0;
    for (int i = 0; i < 300; i++) {
        char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(at, 'a', 2 * PAGE);
        got += look(at + PAGE - 8);
        if (i % 3 == 0)
            munmap(at + PAGE, PAGE);
        else
            mprotect(at + PAGE, PAGE, i % 3 == 1 ? PROT_NONE : PROT_EXEC);
        got += look(at + PAGE - 8) + look(at + PAGE);
        munmap(at, 2 * PAGE);
        got += look(at);
    }
    printf("%d\n", got);
    return 0;
}

/* A mapped file that was cut short: a touch is SIGBUS. */
static int cut_short(char **argv)
{
    (void)argv;
    int fd = memfd_create("text", MFD_CLOEXEC), got = 0;
    if (fd < 0 || ftruncate(fd, 2 * PAGE) != 0)
        return CANNOT;
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memset(at, 'b', 2 * PAGE);
    for (int i = 0; i < 100; i++) {
        got += look(at + PAGE - 3);
        if (ftruncate(fd, i % 2 ? 2 * PAGE : PAGE) != 0)
            return 3;
    }
    printf("%d\n", got);
    return 0;
}

const struct way memory_ways[] = {
    {"low-stack", low_stack},         {"grows-down", grows_down},
    {"stack-limit", stack_limit},     {"userfault", userfault},
    {"fp-traps", fp_traps},           {"rounding", rounding},
    {"huge-text", huge_text},         {"text-writable", text_writable},
    {"own-titles", own_titles},       {"lock-all", lock_all},
    {"denied-by-key", denied_by_key}, {"comes-and-goes", comes_and_goes},
    {"cut-short", cut_short},         {NULL, NULL},
};
