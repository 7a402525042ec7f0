/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is about to be exec'ed: can a preload of ours reach it? A file is asked
 * the way the kernel asks it (binfmt_script, binfmt_elf): "#!" leads to the
 * interpreter, an ELF file names its loader.
 *
 * [any thread; in a child of vfork on a small stack] Raw syscalls, general
 * registers only.
 */
#include "preload/process/exec.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lane/x86_64/machine.h"
#include "preload/settings/config.h"
#include "lane/format/assert.h"

enum {
    HEAD_BYTES = 1024,
    PATH_BYTES = 256, /* BINPRM_BUF_SIZE, and no loader has a longer one */
    SCRIPTS_MAX = 5,  /* the kernel follows as many */
    HEADERS_MAX = 64,
};

static char own_loader[PATH_BYTES];
static struct stat own_stat;

static long raw(long number, long a, long b, long c, long d)
{
    return machine_syscall(number, a, b, c, d, 0, 0);
}

static bool is_same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static int find_own(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_INTERP)
            continue;
        const char *name =
            (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        for (size_t j = 0; j + 1 < sizeof own_loader && name[j]; j++)
            own_loader[j] = name[j];
    }
    return 1; /* the first object is the program */
}

void exec_target_start(void)
{
    dl_iterate_phdr(find_own, NULL);
    if (own_loader[0] &&
        raw(SYS_stat, (long)own_loader, (long)&own_stat, 0, 0) != 0)
        own_stat.st_ino = 0;
}

/* ---- ELF -------------------------------------------------------------- */

static bool is_own_loader(const char *name)
{
    struct stat st;
    if (!own_loader[0] || is_same_text(name, own_loader))
        return true;
    return raw(SYS_stat, (long)name, (long)&st, 0, 0) == 0 &&
           own_stat.st_ino != 0 && st.st_ino == own_stat.st_ino &&
           st.st_dev == own_stat.st_dev;
}

/* Our loader, run as a program, preloads as well. */
static bool is_own_file(int fd)
{
    struct stat st;
    return raw(SYS_fstat, fd, (long)&st, 0, 0) == 0 &&
           st.st_ino == own_stat.st_ino && st.st_dev == own_stat.st_dev;
}

static enum lane_lost look_loader(int fd, const Elf64_Phdr *phdr)
{
    lane_assert(fd >= 0 && phdr->p_type == PT_INTERP);
    char name[PATH_BYTES];
    if (phdr->p_filesz == 0 || phdr->p_filesz >= sizeof name)
        return LANE_LOST_NOT;
    long got = raw(SYS_pread64, fd, (long)name, (long)phdr->p_filesz,
                   (long)phdr->p_offset);
    if (got != (long)phdr->p_filesz)
        return LANE_LOST_NOT;
    lane_assert(got > 0 && got < (long)sizeof name);
    name[got] = 0;
    return is_own_loader(name) ? LANE_LOST_NOT : LANE_LOST_FOREIGN;
}

static enum lane_lost look_elf(int fd, const uint8_t *head, long len)
{
    lane_assert(len >= 4);
    const Elf64_Ehdr *elf = (const void *)head;
    if (len < (long)sizeof *elf)
        return LANE_LOST_NOT;
    if (head[EI_CLASS] != ELFCLASS64 || head[EI_DATA] != ELFDATA2LSB ||
        elf->e_machine != EM_X86_64)
        return LANE_LOST_FOREIGN;
    if (elf->e_phentsize != sizeof(Elf64_Phdr) || elf->e_phnum > HEADERS_MAX)
        return LANE_LOST_NOT;
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        uint64_t at = elf->e_phoff + i * sizeof(Elf64_Phdr);
        Elf64_Phdr phdr;
        const Elf64_Phdr *here = (const void *)(head + at);
        if (at > (uint64_t)len - sizeof phdr || at % 8 != 0) {
            if (raw(SYS_pread64, fd, (long)&phdr, sizeof phdr, (long)at) !=
                sizeof phdr)
                return LANE_LOST_NOT;
            here = &phdr;
        }
        if (here->p_type == PT_INTERP)
            return look_loader(fd, here);
    }
    return is_own_file(fd) ? LANE_LOST_NOT : LANE_LOST_STATIC;
}

/* ---- files ------------------------------------------------------------ */

static bool is_privileged(int fd)
{
    lane_assert(fd >= 0);
    static const char capability[] = "security.capability";
    struct stat st;
    if (raw(SYS_fstat, fd, (long)&st, 0, 0) != 0)
        return false;
    if ((st.st_mode & S_ISUID) && st.st_uid != config.uid)
        return true;
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        st.st_gid != (gid_t)raw(SYS_getegid, 0, 0, 0, 0))
        return true;
    /* root gains nothing by file capabilities */
    return config.uid != 0 && !config.is_seccomp &&
           raw(SYS_fgetxattr, fd, (long)capability, 0, 0) > 0;
}

/* "#! interpreter argument"; false: none. */
static bool read_script(const char *head, long len, char name[PATH_BYTES])
{
    lane_assert(len > 2 && len <= HEAD_BYTES);
    long at = 2, n = 0;
    while (at < len && (head[at] == ' ' || head[at] == '\t'))
        at++;
    while (at < len && n + 1 < PATH_BYTES && head[at] != ' ' &&
           head[at] != '\t' && head[at] != '\n' && head[at] != 0)
        name[n++] = head[at++];
    name[n] = 0;
    return n > 0 && n + 1 < PATH_BYTES;
}

/* What the open file is; a script leaves its interpreter in `name`. */
static enum lane_lost look_file(int fd, char name[PATH_BYTES])
{
    _Alignas(8) uint8_t head[HEAD_BYTES];
    name[0] = 0;
    long len = raw(SYS_pread64, fd, (long)head, sizeof head, 0);
    if (len > 2 && head[0] == '#' && head[1] == '!') {
        if (!read_script((const char *)head, len, name))
            name[0] = 0;
        return LANE_LOST_NOT; /* scripts have no setuid bit */
    }
    if (len < 4 || head[0] != ELFMAG0 || head[1] != ELFMAG1 ||
        head[2] != ELFMAG2 || head[3] != ELFMAG3)
        return LANE_LOST_NOT;
    if (is_privileged(fd))
        return LANE_LOST_PRIVILEGED;
    return look_elf(fd, head, len);
}

enum lane_lost exec_target_look(int dir_fd, const char *path)
{
    char name[PATH_BYTES];
    enum lane_lost lost = LANE_LOST_NOT;
    bool is_open = path == NULL; /* execveat(fd, "", AT_EMPTY_PATH) */
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        long fd = is_open
                      ? dir_fd
                      : raw(SYS_openat, dir_fd, (long)path,
                            O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
        if (fd < 0)
            return LANE_LOST_NOT;
        lost = look_file((int)fd, name);
        if (!is_open)
            raw(SYS_close, fd, 0, 0, 0);
        if (!name[0])
            break;
        path = name;
        dir_fd = AT_FDCWD;
        is_open = false;
    }
    return lost;
}
