/* SPDX-License-Identifier: Apache-2.0 */
/* Function pointers: registered before and after threads start, in a struct
 * of operations, returned, static, twice, NULL, of libc, made at run time,
 * and by many threads at once while others call. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLER __attribute__((noipa))
typedef int chain_fn(void *pad, void *buf, size_t n);
struct ops {
    int version;
    chain_fn *read, *write;
};

static chain_fn *volatile chain[64];
static _Atomic long done, registered;

HANDLER void set_chain(int slot, chain_fn *fn)
{
    chain[slot] = fn;
}
HANDLER int register_driver(struct ops *ops)
{
    chain[10] = ops->read;
    chain[11] = ops->write;
    return ops->version;
}

HANDLER int early(void *pad, void *buf, size_t n)
{
    return (int)n + (pad == buf);
}
HANDLER static int quiet(void *pad, void *buf, size_t n)
{
    return pad != buf ? -(int)n : 0;
}
HANDLER static int driver_read(void *pad, void *buf, size_t n)
{
    memset(buf, (int)n, n);
    return (int)n + (pad != NULL);
}
HANDLER static int driver_write(void *pad, void *buf, size_t n)
{
    return *(char *)buf == (char)n ? 0 : pad == NULL;
}
HANDLER int returned(void *pad, void *buf, size_t n)
{
    return (pad != buf) + (int)n * 2;
}
HANDLER chain_fn *get_chain(const char *name)
{
    return *name == 'r' ? returned : NULL;
}
HANDLER int late(void *pad, void *buf, size_t n)
{
    return pad == buf ? 1 : (int)n + 3;
}
/* called by threads all the time, before and after it is registered */
#define BUSY(i)                                                                \
    HANDLER int busy_##i(void *pad, void *buf, size_t n)                       \
    {                                                                          \
        char local[32];                                                        \
        memset(local, (int)n, sizeof local);                                   \
        return local[n % 32] + i + (pad == buf);                               \
    }
BUSY(0)
BUSY(1) BUSY(2) BUSY(3) BUSY(4) BUSY(5) BUSY(6)
    BUSY(7) static chain_fn *const busy[] = {busy_0, busy_1, busy_2, busy_3,
                                             busy_4, busy_5, busy_6, busy_7};
HANDLER int by_signal(void *pad, void *buf, size_t n)
{
    return pad == buf ? (int)n : 0;
}

static void on_signal(int number)
{
    set_chain(20, by_signal);
    done += chain[20](NULL, NULL, (size_t)number) == number;
}

enum {
    ROUNDS = 300
};
static void *caller(void *unused)
{
    long wrong = 0;
    for (int i = 0; i < ROUNDS; i += registered == 4) {
        for (int k = 0; k < 8; k++)
            wrong += busy[k](NULL, unused, 5) != 5 + k + (unused == NULL);
        usleep(20); /* that there are not too many spans */
    }
    return (void *)wrong;
}
static void *registrar(void *unused)
{
    for (int k = 0; k < 8; k++)
        set_chain(k, busy[k]);
    registered++;
    return unused;
}

int main(void)
{
    char buf[16];
    pthread_t t[8];
    long wrong = 0;
    set_chain(0, early); /* one thread */
    set_chain(0, early);
    set_chain(1, quiet);
    set_chain(2, NULL);
    set_chain(3, (chain_fn *)(void *)rand_r);
    for (int i = 0; i < 5; i++)
        wrong += chain[0](buf, buf, 7) != 8;
    wrong += chain[1](buf, NULL, 7) != -7;

    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, caller, buf);
    for (int i = 4; i < 8; i++)
        pthread_create(&t[i], NULL, registrar, NULL);
    static struct ops ops = {2, driver_read, driver_write};
    wrong += register_driver(&ops) != 2;
    wrong += chain[10](NULL, buf, 9) != 9;
    wrong += chain[11](NULL, buf, 9) != 0;
    wrong += get_chain("r")(buf, NULL, 2) != 5;
    wrong += get_chain("x") != NULL;
    set_chain(4, late);
    wrong += chain[4](NULL, buf, 4) != 7;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    raise(SIGUSR1);
    wrong += done != 2;

    static const unsigned char code[] = {0x89, 0xd0, 0x83, 0xc0, 1, 0xc3};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code); /* mov %edx,%eax; add $1,%eax; ret */
    set_chain(5, (chain_fn *)page);
    wrong += ((chain_fn *)page)(buf, buf, 41) != 42;
    for (int i = 0; i < 8; i++) {
        void *got = NULL;
        pthread_join(t[i], &got);
        wrong += (long)got;
    }
    for (int k = 0; k < 8; k++)
        wrong += busy[k](NULL, NULL, 1) != 2 + k;
    printf("wrong %ld\n", wrong);
    return wrong != 0;
}
