/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and threads of a process, from /proc; see live.h. */
#include "tools/cli/live/live.h"
#include <cjson/cJSON.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADERS_MAX = 64,
    NOTES_MAX = 4096,
};

/* ---- objects ------------------------------------------------------------- */

/* The build id among the notes at a run-time address. */
static void read_build_id(int32_t pid, uint64_t address, uint64_t len,
                          struct symbolize_module *m)
{
    uint8_t notes[NOTES_MAX];
    if (len < sizeof(Elf64_Nhdr) || len > sizeof notes ||
        !look_read(pid, address, notes, len))
        return;
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= len;) {
        Elf64_Nhdr n;
        memcpy(&n, notes + at, sizeof n);
        uint64_t name = at + sizeof n, desc = name + ((n.n_namesz + 3u) & ~3u);
        uint64_t next = desc + ((n.n_descsz + 3u) & ~3u);
        if (n.n_namesz > len || n.n_descsz > len || next > len)
            return;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0 &&
            n.n_descsz <= sizeof m->build_id) {
            m->build_id_bytes = n.n_descsz;
            memcpy(m->build_id, notes + desc, n.n_descsz);
            return;
        }
        at = next;
    }
}

/* Of an object whose file begins at `start`: bias, end and build id. False: it
 * is none. */
static bool read_object(int32_t pid, uint64_t start, struct symbolize_module *m)
{
    Elf64_Ehdr e;
    Elf64_Phdr h[HEADERS_MAX];
    uint64_t low = UINT64_MAX, high = 0;
    if (!look_read(pid, start, &e, sizeof e) ||
        memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_phnum == 0 ||
        e.e_phnum > HEADERS_MAX || e.e_phentsize != sizeof *h ||
        !look_read(pid, start + e.e_phoff, h, e.e_phnum * sizeof *h))
        return false;
    for (int i = 0; i < e.e_phnum; i++) {
        if (h[i].p_type != PT_LOAD)
            continue;
        low = h[i].p_vaddr < low ? h[i].p_vaddr : low;
        uint64_t end = h[i].p_vaddr + h[i].p_memsz;
        high = end > high ? end : high;
    }
    if (low > high)
        return false;
    m->bias = e.e_type == ET_EXEC ? 0 : start - (low & ~UINT64_C(4095));
    m->end = m->bias + high;
    for (int i = 0; i < e.e_phnum && m->build_id_bytes == 0; i++)
        if (h[i].p_type == PT_NOTE)
            read_build_id(pid, m->bias + h[i].p_vaddr, h[i].p_memsz, m);
    return true;
}

static int add_object(struct live *l, uint64_t start, const char *path)
{
    struct live_object o = {.path = strdup(path)};
    if (!o.path)
        return -ENOMEM;
    if (!read_object(l->pid, start, &o.module)) {
        free(o.path);
        return 0;
    }
    o.module.path_bytes = (uint32_t)strlen(path);
    void *grown = realloc(l->object, (l->object_count + 1) * sizeof *l->object);
    if (!grown) {
        free(o.path);
        return -ENOMEM;
    }
    const char *slash = strrchr(path, '/');
    if (slash && strcmp(slash, "/libhandspan.so") == 0) {
        l->is_traced = true;
        memcpy(l->own_id, o.module.build_id, sizeof l->own_id);
    }
    l->object = grown;
    l->object[l->object_count++] = o;
    return 0;
}

/* Files that are mapped from their beginning. */
static int read_maps(struct live *l)
{
    char name[64], line[LIVE_PATH + 256];
    int err = 0;
    snprintf(name, sizeof name, "/proc/%d/maps", l->pid);
    FILE *maps = fopen(name, "re");
    if (!maps)
        return -errno;
    while (!err && fgets(line, sizeof line, maps)) {
        uint64_t start, end, offset;
        int at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %*s %*s %n",
                   &start, &end, &offset, &at) == 3 &&
            at > 0 && line[at] == '/' && offset == 0)
            err = add_object(l, start, line + at);
    }
    fclose(maps);
    return err;
}

/* ---- threads ------------------------------------------------------------- */

static void read_word(int32_t pid, int32_t tid, const char *name, char *out,
                      size_t cap)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;
    out[n] = 0;
    if (f)
        fclose(f);
}

static void read_thread(int32_t pid, struct live_thread *t)
{
    char status[4096];
    read_word(pid, t->tid, "comm", t->name, sizeof t->name);
    t->name[strcspn(t->name, "\n")] = 0;
    read_word(pid, t->tid, "status", status, sizeof status);
    char *line = strstr(status, "\nNSpid:");
    char *end = line ? strchr(line + 1, '\n') : NULL;
    if (end)
        *end = 0;
    char *last = end ? strrchr(line, '\t') : NULL;
    t->own_tid = last ? (uint32_t)strtoul(last, NULL, 10) : (uint32_t)t->tid;
    t->holder = -1;
}

static int by_tid(const void *a, const void *b)
{
    const struct live_thread *x = a, *y = b;
    return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int read_threads(struct live *l)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", l->pid);
    DIR *tasks = opendir(path);
    struct dirent *entry;
    if (!tasks)
        return -errno;
    l->thread = calloc(LIVE_THREADS, sizeof *l->thread);
    while (l->thread && (entry = readdir(tasks))) {
        int32_t tid = (int32_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        if (l->thread_count == LIVE_THREADS) {
            l->left_out++;
            continue;
        }
        struct live_thread *t = &l->thread[l->thread_count++];
        t->tid = tid;
        read_thread(l->pid, t);
    }
    closedir(tasks);
    if (!l->thread)
        return -ENOMEM;
    qsort(l->thread, l->thread_count, sizeof *l->thread, by_tid);
    return 0;
}

/* ---- why not ------------------------------------------------------------- */

static int say_foreign(int32_t pid, char *why, size_t cap)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (stat(path, &st) != 0) {
        snprintf(why, cap, "there is no process %d", pid);
        return -ESRCH;
    }
    const struct passwd *user = getpwuid(st.st_uid);
    if (st.st_uid != geteuid())
        snprintf(why, cap,
                 "process %d belongs to %s: look at it as that user, or as "
                 "root",
                 pid, user ? user->pw_name : "another user");
    else
        snprintf(why, cap,
                 "process %d does not let itself be looked at (setuid, or "
                 "prctl(PR_SET_DUMPABLE)): look at it as root",
                 pid);
    return -EPERM;
}

static int errno_of_exe(int32_t pid)
{
    char path[64], target[8];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return readlink(path, target, sizeof target) < 0 ? errno : 0;
}

/* Its memory can be read, or why not. */
static int check_memory(const struct live *l, char *why, size_t cap)
{
    uint8_t byte;
    if (!l->program[0] && errno_of_exe(l->pid) == ENOENT) {
        snprintf(why, cap, "process %d is a thread of the kernel", l->pid);
        return -EPERM;
    }
    if (l->object_count > 0 &&
        look_read(l->pid, l->object[0].module.bias, &byte, 1))
        return 0;
    FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = f ? fgetc(f) - '0' : 0;
    if (f)
        fclose(f);
    if (scope <= 0)
        return say_foreign(l->pid, why, cap);
    snprintf(why, cap,
             "this machine lets only %s look at a process "
             "(kernel.yama.ptrace_scope is %d): run it as root",
             scope == 1 ? "its parent or root" : "root", scope);
    return -EPERM;
}

static int check_state(int32_t pid, char *why, size_t cap)
{
    char stat[512];
    read_word(pid, pid, "stat", stat, sizeof stat);
    const char *end = strrchr(stat, ')');
    if (!end) {
        snprintf(why, cap, "there is no process %d", pid);
        return -ESRCH;
    }
    if (strncmp(end, ") Z", 3) == 0 || strncmp(end, ") X", 3) == 0) {
        snprintf(why, cap,
                 "process %d has ended; its parent has not waited "
                 "for it yet",
                 pid);
        return -ESRCH;
    }
    return 0;
}

int live_open(int32_t pid, struct live *out, char *why, size_t why_bytes)
{
    char path[64];
    *out = (struct live){.pid = pid};
    int err = check_state(pid, why, why_bytes);
    if (err)
        return err;
    read_word(pid, pid, "comm", out->name, sizeof out->name);
    out->name[strcspn(out->name, "\n")] = 0;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, out->program, sizeof out->program - 1);
    out->program[n > 0 ? n : 0] = 0;
    err = read_maps(out);
    if (err == -EACCES || err == -EPERM)
        err = say_foreign(pid, why, why_bytes);
    else if (!err && out->object_count == 0)
        err = check_memory(out, why, why_bytes);
    else if (!err)
        err = read_threads(out);
    if (err && !why[0])
        snprintf(why, why_bytes, "process %d: %s", pid, strerror(-err));
    if (err)
        live_close(out);
    return err;
}

void live_close(struct live *l)
{
    for (size_t i = 0; i < l->object_count; i++)
        free(l->object[i].path);
    for (size_t i = 0; i < l->thread_count; i++) {
        cJSON_Delete(l->thread[i].frames);
        free(l->thread[i].ended);
    }
    free(l->object);
    free(l->thread);
    *l = (struct live){0};
}
