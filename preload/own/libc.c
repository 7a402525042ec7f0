/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only libc can do, by the addresses in libc.so.6 itself: see own.h. The
 * program may have functions of these names; it does not see these calls.
 */
#define _GNU_SOURCE
#include "lane/x86_64/machine.h"
#include "preload/own/own.h"
#include "shim/lookup.h"
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>

/* Weak: musl and others have none, and load us all the same. */
extern struct r_debug _r_debug __attribute__((weak, visibility("default")));

static const char libc_name[] = "libc.so.6";
static const struct link_map *libc;

/* One word each, set by own_start(). */
static struct {
    int *(*errno_location)(void);
    int (*iterate_phdr)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
    int (*at_exit)(void (*)(int, void *), void *);
    unsigned long (*auxv)(unsigned long);
    int (*cancel_state)(int, int *);
    int (*time)(clockid_t, struct timespec *);
} its;

void *own_find(const char *name)
{
    return libc ? (void *)shim_lookup_in(libc->l_addr, libc->l_ld, name) : NULL;
}

static bool is_libc(const struct link_map *map)
{
    const char *base = map->l_name;
    for (const char *at = base; at && *at; at++)
        base = *at == '/' ? at + 1 : base;
    return base && strcmp(base, libc_name) == 0;
}

bool own_start(void)
{
    if (&_r_debug == NULL || _r_debug.r_version < 1)
        return false;
    for (libc = _r_debug.r_map; libc && !is_libc(libc);)
        libc = libc->l_next;
    *(void **)&its.errno_location = own_find("__errno_location");
    *(void **)&its.iterate_phdr = own_find("dl_iterate_phdr");
    *(void **)&its.at_exit = own_find("on_exit");
    *(void **)&its.auxv = own_find("getauxval");
    *(void **)&its.cancel_state = own_find("pthread_setcancelstate");
    *(void **)&its.time = own_find("clock_gettime");
    /* glibc before 2.34 has some of them elsewhere */
    return its.errno_location && its.iterate_phdr && its.at_exit && its.auxv &&
           its.cancel_state && its.time;
}

const struct link_map *own_objects(void)
{
    return &_r_debug == NULL ? NULL : _r_debug.r_map;
}

int *own_program_errno(void)
{
    return its.errno_location();
}

int dl_iterate_phdr(int (*look)(struct dl_phdr_info *, size_t, void *),
                    void *data)
{
    return its.iterate_phdr(look, data);
}

int on_exit(void (*function)(int, void *), void *data)
{
    return its.at_exit(function, data);
}

unsigned long getauxval(unsigned long type)
{
    return its.auxv(type);
}

int pthread_setcancelstate(int state, int *was)
{
    return its.cancel_state(state, was);
}

pthread_t pthread_self(void)
{
    return (pthread_t)__builtin_thread_pointer();
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    return its.time(clock, out);
}
