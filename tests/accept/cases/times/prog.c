/* Handlers that measure themselves: what handspan says must agree. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define HANDLER __attribute__((noinline, noclone, visibility("default")))

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct measure {
    int64_t wall_ns, cpu_ns;
};

HANDLER void spin(struct measure *m, int64_t for_ns)
{
    int64_t w0 = now_ns(CLOCK_MONOTONIC);
    int64_t c0 = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_MONOTONIC) - w0 < for_ns)
        ;
    m->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - c0;
    m->wall_ns = now_ns(CLOCK_MONOTONIC) - w0;
}

HANDLER void doze(struct measure *m, int64_t for_ns)
{
    struct timespec t = {for_ns / 1000000000, for_ns % 1000000000};
    int64_t w0 = now_ns(CLOCK_MONOTONIC);
    int64_t c0 = now_ns(CLOCK_THREAD_CPUTIME_ID);
    nanosleep(&t, NULL);
    m->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - c0;
    m->wall_ns = now_ns(CLOCK_MONOTONIC) - w0;
}

/* Written to a file of its own: stdout must not differ between runs. */
int main(int argc, char **argv)
{
    static const int64_t lengths[] = {20000, 200000, 2000000, 20000000};
    FILE *f = argc > 1 ? fopen(argv[1], "w") : NULL;
    if (!f)
        return 2;
    struct measure warm;
    spin(&warm, 1000);
    for (int round = 0; round < 9; round++) {
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct measure m;
            spin(&m, lengths[i]);
            fprintf(f, "spin %lld %lld\n", (long long)m.wall_ns,
                    (long long)m.cpu_ns);
        }
        struct measure m;
        doze(&m, 5000000);
        fprintf(f, "doze %lld %lld\n", (long long)m.wall_ns,
                (long long)m.cpu_ns);
    }
    return fclose(f);
}
