/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of program a file is; see program.h. The file is hostile input:
 * everything is read through bounds into structs of our own. */
#include "tools/cli/program/program.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define GLIBC_LOADER "/lib64/ld-linux-x86-64.so.2"

static int look_at(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return access(path, X_OK) < 0 ? -EACCES : 0;
}

int program_find(const char *name, struct program *out)
{
    *out = (struct program){0};
    if (strchr(name, '/')) {
        snprintf(out->path, sizeof out->path, "%s", name);
        return look_at(out->path);
    }
    if (!*name)
        return -ENOENT;
    const char *dir = getenv("PATH");
    int worst = -ENOENT;
    for (dir = dir ? dir : "/usr/bin:/bin"; dir;) {
        size_t len = strcspn(dir, ":");
        int n = snprintf(out->path, sizeof out->path, "%.*s%s%s", (int)len, dir,
                         len ? "/" : "./", name);
        int err = n < 0 || (size_t)n >= sizeof out->path ? -ENOENT
                                                         : look_at(out->path);
        if (err == 0)
            return 0;
        if (err == -EACCES)
            worst = err;
        dir = dir[len] ? dir + len + 1 : NULL;
    }
    snprintf(out->path, sizeof out->path, "%s", name);
    return worst;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 &&
           one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

const char *program_of_loader(const struct program *p, char **argv)
{
    static const char *const with_value[] = {
        "--library-path",         "--inhibit-rpath",     "--audit", "--preload",
        "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask", "--argv0"};
    if (!is_same_file(p->path, GLIBC_LOADER))
        return NULL;
    size_t at = 1;
    while (argv[at] && strncmp(argv[at], "--", 2) == 0) {
        bool has_value = false;
        for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++)
            has_value |= strcmp(argv[at], with_value[i]) == 0;
        at += has_value && argv[at + 1] ? 2 : 1;
    }
    return argv[at];
}

static void decide(struct program *p, enum program_kind kind,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void decide(struct program *p, enum program_kind kind,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->kind = kind;
    vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
}

/* Does running it change user, group or capabilities? */
static bool is_privileged(int fd, const char **how)
{
    struct stat st;
    char caps[64];
    if (fstat(fd, &st) < 0)
        return false;
    if (st.st_mode & S_ISUID && st.st_uid != getuid())
        return *how = "setuid", true;
    if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid())
        return *how = "setgid", true;
    if (geteuid() != 0 &&
        fgetxattr(fd, "security.capability", caps, sizeof caps) > 0)
        return *how = "given capabilities", true;
    return false;
}

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_386, "x86 (32 bit)"}, {EM_ARM, "ARM (32 bit)"},
                 {EM_AARCH64, "AArch64"},  {EM_RISCV, "RISC-V"},
                 {EM_PPC64, "PowerPC 64"}, {EM_S390, "s390"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

/* PT_INTERP into `out`; false: there is none. */
static bool read_loader(int fd, const Elf64_Ehdr *head, char *out, size_t cap)
{
    for (unsigned i = 0; i < head->e_phnum && i < 256; i++) {
        Elf64_Phdr ph;
        off_t at = (off_t)(head->e_phoff + (uint64_t)i * sizeof ph);
        if (pread(fd, &ph, sizeof ph, at) != (ssize_t)sizeof ph)
            return false;
        if (ph.p_type != PT_INTERP)
            continue;
        size_t len = ph.p_filesz < cap - 1 ? (size_t)ph.p_filesz : cap - 1;
        ssize_t got = pread(fd, out, len, (off_t)ph.p_offset);
        out[got > 0 ? got : 0] = 0;
        return got > 0;
    }
    return false;
}

/* A shared object: what is started says so of itself (DF_1_PIE). */
static bool is_library(int fd, const Elf64_Ehdr *head)
{
    Elf64_Phdr ph;
    Elf64_Dyn d;
    if (head->e_type != ET_DYN)
        return false;
    for (unsigned i = 0; i < head->e_phnum && i < 256; i++) {
        off_t at = (off_t)(head->e_phoff + (uint64_t)i * sizeof ph);
        if (pread(fd, &ph, sizeof ph, at) != (ssize_t)sizeof ph)
            return false;
        for (uint64_t n = 0; ph.p_type == PT_DYNAMIC && n < 1024; n++) {
            at = (off_t)(ph.p_offset + n * sizeof d);
            if (pread(fd, &d, sizeof d, at) != (ssize_t)sizeof d ||
                d.d_tag == DT_NULL)
                break;
            if (d.d_tag == DT_FLAGS_1 && d.d_un.d_val & DF_1_PIE)
                return false;
        }
    }
    return true;
}

static void classify_elf(struct program *p, int fd, const Elf64_Ehdr *head)
{
    char loader[256];
    const char *how;
    if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_machine != EM_X86_64)
        decide(p, PROGRAM_FOREIGN,
               "'%s' is a program for %s; handspan traces x86-64 alone",
               p->path, machine_name(head->e_machine));
    else if (!read_loader(fd, head, loader, sizeof loader) &&
             is_library(fd, head))
        decide(p, PROGRAM_LIBRARY,
               "'%s' is a library: what is traced are programs that load it",
               p->path);
    else if (!read_loader(fd, head, loader, sizeof loader))
        decide(p, PROGRAM_STATIC,
               "'%s' is statically linked: no preload reaches it. Way out: "
               "a dynamically linked build",
               p->path);
    else if (strcmp(loader, GLIBC_LOADER) != 0)
        decide(p, PROGRAM_FOREIGN,
               "'%s' is started by %s, which is not glibc's loader; its libc "
               "could not load handspan",
               p->path, loader);
    else if (is_privileged(fd, &how))
        decide(p, PROGRAM_SETUID,
               "'%s' is %s: the loader ignores preloads for it. Way out: a "
               "copy without that bit, or run handspan as its user",
               p->path, how);
}

static void classify_script(struct program *p, const char *head, size_t len)
{
    char line[512];
    size_t n = len < sizeof line - 1 ? len : sizeof line - 1;
    memcpy(line, head, n);
    line[n] = 0;
    line[strcspn(line, "\n")] = 0;
    const char *at = line + 2 + strspn(line + 2, " \t");
    snprintf(p->interpreter, sizeof p->interpreter, "%.*s",
             (int)strcspn(at, " \t\r"), at);
    decide(p, PROGRAM_SCRIPT,
           "'%s' is a script: what is traced is its interpreter %s, and the "
           "programs that it starts",
           p->path, p->interpreter);
}

void program_classify(struct program *p)
{
    union {
        Elf64_Ehdr elf;
        char text[512];
    } head = {0};
    p->kind = PROGRAM_NATIVE;
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* executable but unreadable: nothing can be said */
    ssize_t got = pread(fd, &head, sizeof head, 0);
    if (got >= (ssize_t)sizeof head.elf &&
        memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
        classify_elf(p, fd, &head.elf);
    else if (got >= 2 && head.text[0] == '#' && head.text[1] == '!')
        classify_script(p, head.text, (size_t)got);
    else
        decide(p, PROGRAM_OTHER,
               "'%s' is neither an ELF program nor a script with '#!'",
               p->path);
    close(fd);
}

int program_find_file(const char *name, struct program *out)
{
    int err = program_find(name, out);
    if (err != -EACCES || !strchr(name, '/'))
        return err;
    program_classify(out);
    return out->kind == PROGRAM_LIBRARY ? 0 : err;
}
