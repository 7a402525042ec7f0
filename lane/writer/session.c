/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a session file: one sparse file, mapped once and whole.
 *
 * The layout follows from the capacities of the tables alone. Where the
 * process may not have so much (RLIMIT_FSIZE, RLIMIT_AS) the capacities are
 * halved, step by step, down to a floor. Only the header and the
 * first anchors get a page here; everything else when it is taken.
 *
 * Runs in the traced process, in our constructor: no malloc, no stdio.
 */
#define _GNU_SOURCE
#include "lane/writer/session.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "lane/format/ids.h"
#include "lane/x86_64/machine.h"
#include "lane/format/assert.h"

enum {
    PAGE = 4096,
    SHRINK_STEPS = 8,
    LEAST_PROCESSES = 256,
    LEAST_CONTEXTS = 1024,
    LEAST_SITES = 192, /* some 60 of them are of libc */
    LEAST_ITEMS = 2048,
    LEAST_MODULES = 256,
    LEAST_STRING_BYTES = 128 * 1024,
    LEAST_LANES = 4,
    LEAST_WORDS = 64,
    AS_PART = 8, /* of a limited address space at most 1/8 is ours */
};

static const uint32_t entry_bytes[LANE_TABLES] = {
    [LANE_TABLE_PROCESSES] = sizeof(struct lane_process),
    [LANE_TABLE_CONTEXTS] = sizeof(struct lane_context),
    [LANE_TABLE_SITES] = sizeof(struct lane_site),
    [LANE_TABLE_ITEMS] = sizeof(struct lane_item),
    [LANE_TABLE_COUNTERS] = sizeof(struct lane_counter),
    [LANE_TABLE_MODULES] = sizeof(struct lane_module),
    [LANE_TABLE_ANCHORS] = sizeof(struct lane_anchor),
    [LANE_TABLE_STRINGS] = 1,
    [LANE_TABLE_LANES] = sizeof(struct lane),
    [LANE_TABLE_UNITS] = LANE_SEGMENT,
    [LANE_TABLE_WORDS] = sizeof(struct lane_word),
};

static uint32_t at_least(uint32_t value, uint32_t least)
{
    return value > least ? value : least;
}

/* Capacities at a step of shrinking; returns the size of the file. */
static uint64_t layout_compute(const struct lane_config *config, int step,
                               struct lane_table table[LANE_TABLES])
{
    lane_assert(step >= 0 && step < SHRINK_STEPS);
    uint32_t lanes = config->lane_count ? config->lane_count : LANE_MAX;
    uint32_t units =
        config->unit_count ? config->unit_count : LANE_UNIT_DEFAULT;
    if (lanes > LANE_MAX)
        lanes = LANE_MAX;
    if (units > LANE_UNIT_MAX)
        units = LANE_UNIT_MAX;
    const uint32_t capacity[LANE_TABLES] = {
        at_least(LANE_PROCESS_MAX >> step, LEAST_PROCESSES),
        at_least(LANE_CONTEXT_MAX >> (step * 2), LEAST_CONTEXTS),
        at_least(LANE_SITE_MAX >> step, LEAST_SITES),
        at_least(LANE_ITEM_MAX >> step, LEAST_ITEMS),
        at_least(LANE_SITE_MAX >> step, LEAST_SITES),
        at_least(LANE_MODULE_MAX >> step, LEAST_MODULES),
        LANE_ANCHOR_MAX,
        at_least(LANE_STRING_BYTES >> step, LEAST_STRING_BYTES),
        step
            ? at_least(lanes >> step, lanes < LEAST_LANES ? lanes : LEAST_LANES)
            : lanes,
        step ? at_least(units >> step, 1) : units,
        at_least(LANE_WORD_MAX >> step, LEAST_WORDS),
    };
    uint64_t at = PAGE; /* the header */
    for (int i = 0; i < LANE_TABLES; i++) {
        table[i] = (struct lane_table){at, entry_bytes[i], capacity[i]};
        lane_assert(entry_bytes[i] != 0 && capacity[i] != 0);
        lane_assert(at % PAGE == 0);
        at += (uint64_t)entry_bytes[i] * capacity[i];
        at = (at + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    }
    return at;
}

/* Bytes that we may use of a limit. */
static uint64_t limit_of(__rlimit_resource_t what, uint64_t part)
{
    lane_assert(part != 0);
    struct rlimit limit;
    if (getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur / part;
}

/* Size and map the open file; on success table[] says how. */
static int map_fitting(int fd, const struct lane_config *config,
                       struct lane_table table[LANE_TABLES], uint8_t **base,
                       uint64_t *len_bytes)
{
    uint64_t most_file = limit_of(RLIMIT_FSIZE, 1);
    uint64_t most_memory = limit_of(RLIMIT_AS, AS_PART);
    if (config->most_bytes && config->most_bytes < most_memory)
        most_memory = config->most_bytes;
    int rc = -EFBIG;
    for (int step = 0; step < SHRINK_STEPS; step++) {
        uint64_t len = layout_compute(config, step, table);
        if (len > most_file || len > most_memory) {
            rc = len > most_file ? -EFBIG : -ENOMEM;
            continue;
        }
        /* within RLIMIT_FSIZE, so no SIGXFSZ */
        if (ftruncate(fd, (off_t)len) != 0)
            return -errno;
        void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) {
            (void)madvise(at, len, MADV_DONTDUMP);
            /* a tmpfs may be mounted huge=always: a line would take 2 MiB */
            (void)madvise(at, len, MADV_NOHUGEPAGE);
            *base = at;
            *len_bytes = len;
            return 0;
        }
        rc = -errno;
        if (rc != -ENOMEM)
            return rc;
    }
    return rc;
}

static uint64_t random_key(void)
{
    uint64_t key = 0;
    if (machine_syscall(SYS_getrandom, (long)&key, sizeof key, 1, 0, 0, 0) !=
        (long)sizeof key) { /* 1: GRND_NONBLOCK */
        struct timespec t = {0, 0};
        clock_gettime(CLOCK_REALTIME, &t);
        key = (uint64_t)t.tv_sec << 30 ^ (uint64_t)t.tv_nsec ^
              (uint64_t)getpid() << 40 ^ machine_ticks() << 13 ^
              (uint64_t)(uintptr_t)&key;
        key = lane_mix64(key);
    }
    return key ? key : 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void lane_boot_id(uint8_t out[16])
{
    char text[64];
    __builtin_memset(out, 0, 16);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    unsigned digits = 0;
    for (ssize_t i = 0; i < n && digits < 32; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            continue;
        out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
        digits++;
    }
}

static uint64_t namespace_of(const char *path)
{
    struct stat at;
    return stat(path, &at) == 0 ? at.st_ino : 0;
}

static void fill_header(struct lane_session *session,
                        const struct lane_config *config,
                        const struct lane_table table[LANE_TABLES],
                        uint64_t len_bytes)
{
    lane_assert(len_bytes % PAGE == 0);
    lane_assert(config->clock == LANE_CLOCK_TSC ||
                config->clock == LANE_CLOCK_MONOTONIC);
    session->major = LANE_MAJOR;
    session->minor = LANE_MINOR;
    session->header_bytes = sizeof *session;
    session->file_bytes = len_bytes;
    session->key = random_key();
    lane_boot_id(session->boot_id);
    __builtin_memcpy(session->build_id, config->build_id,
                     sizeof session->build_id);
    session->machine = MACHINE_ELF;
    session->page_bytes = PAGE;
    session->clock = config->clock;
    session->policy = config->policy;
    session->wait_us = config->wait_us;
    session->pid_namespace = namespace_of("/proc/self/ns/pid");
    session->time_namespace = namespace_of("/proc/self/ns/time");
    session->uid = (uint32_t)geteuid();
    for (int i = 0; i < LANE_TABLES; i++)
        session->table[i] = table[i];
    session->gate = LANE_GATE_OPEN;
    session->site_next = 1;   /* 0 is no site */
    session->string_next = 8; /* 0 is no string */
    session->unit_max = table[LANE_TABLE_UNITS].capacity;
    /* last; pairs with the reads of header_read(): who finds the magic asks for
     * the version next */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __builtin_memcpy(session->magic, LANE_MAGIC, sizeof session->magic);
}

static void fill_map(struct lane_map *map, uint8_t *base, uint64_t len_bytes,
                     const struct lane_config *config,
                     const struct lane_table table[LANE_TABLES])
{
    lane_assert(base != NULL && (uintptr_t)base % PAGE == 0);
    lane_assert(table[LANE_TABLE_WORDS].offset < len_bytes);
    *map = (struct lane_map){
        .base = base,
        .len_bytes = len_bytes,
        .clock = config->clock,
        .policy = config->policy,
        .wait_us = config->wait_us,
        .session = (void *)base,
        .processes = (void *)(base + table[LANE_TABLE_PROCESSES].offset),
        .contexts = (void *)(base + table[LANE_TABLE_CONTEXTS].offset),
        .sites = (void *)(base + table[LANE_TABLE_SITES].offset),
        .items = (void *)(base + table[LANE_TABLE_ITEMS].offset),
        .counters = (void *)(base + table[LANE_TABLE_COUNTERS].offset),
        .modules = (void *)(base + table[LANE_TABLE_MODULES].offset),
        .anchors = (void *)(base + table[LANE_TABLE_ANCHORS].offset),
        .strings = (char *)(base + table[LANE_TABLE_STRINGS].offset),
        .lanes = (void *)(base + table[LANE_TABLE_LANES].offset),
        .units = base + table[LANE_TABLE_UNITS].offset,
        .words = (void *)(base + table[LANE_TABLE_WORDS].offset),
    };
    for (int i = 0; i < LANE_TABLES; i++)
        map->table[i] = table[i];
}

static int session_map(int fd, const struct lane_config *config,
                       struct lane_map *map)
{
    lane_assert(fd >= 0);
    struct lane_table table[LANE_TABLES];
    uint8_t *base = NULL;
    uint64_t len_bytes = 0;
    if (fchmod(fd, config->mode ? config->mode : 0600) != 0)
        return -errno;
    int rc = map_fitting(fd, config, table, &base, &len_bytes);
    if (rc != 0)
        return rc;
    struct lane_map fresh;
    fill_map(&fresh, base, len_bytes, config, table);
    rc = lane_make_real(base, PAGE);
    if (rc == 0) /* of the anchors: without a first one there is no time */
        rc = lane_make_real(fresh.anchors, PAGE);
    if (rc != 0) {
        munmap(base, len_bytes);
        return rc;
    }
    fill_header(fresh.session, config, table, len_bytes);
    lane_anchor_put(&fresh, 0);
    *map = fresh;
    return 0;
}

int lane_session_create(int dir_fd, const char *name,
                        const struct lane_config *config, struct lane_map *map)
{
    lane_assert(config->lane_count <= LANE_MAX);
    int kept = errno;
    int fd = openat(dir_fd, name,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        int rc = -errno;
        errno = kept;
        return rc;
    }
    int rc = session_map(fd, config, map);
    if (rc != 0)
        (void)unlinkat(dir_fd, name, 0);
    close(fd);
    errno = kept;
    return rc;
}
