/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See confine.h. A filter is a list of pairs, "is it this number? then that",
 * behind a head that refuses another ABI; the last word is refusal in a list of
 * what is allowed, permission in one of what is refused.
 */
#include "tools/common/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1 /* its runtime looks into the process at the end */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

enum {
    INSTRUCTIONS_MAX = 512,
    X32_BIT = 0x40000000,
    OPEN_WRITES = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY),
};
struct filter {
    struct sock_filter at[INSTRUCTIONS_MAX];
    unsigned short count;
};

/* Nobody of us: what changes the machine, and interfaces that only an
 * attacker would want. */
static const int refused_to_all[] = {
    SYS_acct,
    SYS_add_key,
    SYS_adjtimex,
    SYS_bpf,
    SYS_chroot,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_finit_module,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_init_module,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_uring_setup,
    SYS_ioperm,
    SYS_iopl,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_lookup_dcookie,
    SYS_migrate_pages,
    SYS_modify_ldt,
    SYS_mount,
    SYS_move_mount,
    SYS_move_pages,
    SYS_name_to_handle_at,
    SYS_nfsservctl,
    SYS_open_by_handle_at,
    SYS_open_tree,
    SYS_perf_event_open,
    SYS_personality,
    SYS_pivot_root,
    SYS_quotactl,
    SYS_reboot,
    SYS_request_key,
    SYS_setdomainname,
    SYS_setfsgid,
    SYS_setfsuid,
    SYS_setgid,
    SYS_setgroups,
    SYS_sethostname,
    SYS_setns,
    SYS_setregid,
    SYS_setresgid,
    SYS_setresuid,
    SYS_setreuid,
    SYS_settimeofday,
    SYS_setuid,
    SYS_swapoff,
    SYS_swapon,
    SYS_syslog,
    SYS_umount2,
    SYS_unshare,
    SYS_userfaultfd,
    SYS_ustat,
    SYS_vhangup,
};
static const int refused_to_network[] = {
    SYS_execve, SYS_execveat,         SYS_kcmp,
    SYS_kill,   SYS_pidfd_getfd,      SYS_pidfd_send_signal,
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_tkill,
};
static const int allowed_to_readers[] = {
    SYS_access,
    SYS_brk,
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_close,
    SYS_dup,
    SYS_dup2,
    SYS_dup3,
    SYS_exit,
    SYS_exit_group,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fadvise64,
    SYS_fcntl,
    SYS_fstat,
    SYS_fstatfs,
    SYS_futex,
    SYS_getcwd,
    SYS_getdents64,
    SYS_getegid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrandom,
    SYS_getrlimit,
    SYS_getrusage,
    SYS_gettid,
    SYS_gettimeofday,
    SYS_getuid,
    SYS_lseek,
    SYS_lstat,
    SYS_madvise,
    SYS_membarrier,
    SYS_mremap,
    SYS_munmap,
    SYS_nanosleep,
    SYS_newfstatat,
    SYS_poll,
    SYS_ppoll,
    SYS_pread64,
    SYS_preadv,
    SYS_read,
    SYS_readahead,
    SYS_readlink,
    SYS_readlinkat,
    SYS_readv,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_restart_syscall,
    SYS_rseq,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_sendmsg,
    SYS_sendto,
    SYS_set_robust_list,
    SYS_sigaltstack,
    SYS_stat,
    SYS_statfs,
    SYS_statx,
    SYS_sysinfo,
    SYS_time,
    SYS_uname,
    SYS_write,
    SYS_writev,
};
static const int allowed_to_fillers[] = {
    SYS_chmod,  SYS_fchmod,    SYS_fchmodat, SYS_fdatasync, SYS_flock,
    SYS_fsync,  SYS_ftruncate, SYS_mkdir,    SYS_mkdirat,   SYS_open,
    SYS_openat, SYS_pwrite64,  SYS_rename,   SYS_renameat,  SYS_renameat2,
    SYS_rmdir,  SYS_umask,     SYS_unlink,   SYS_unlinkat,
};

/* ---- the filter ---------------------------------------------------------- */

static void put(struct filter *f, struct sock_filter instruction)
{
    if (f->count < INSTRUCTIONS_MAX)
        f->at[f->count++] = instruction;
}

static void put_load(struct filter *f, size_t offset)
{
    put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        (uint32_t)offset));
}

static void put_return(struct filter *f, uint32_t what)
{
    put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;

static void put_head(struct filter *f)
{
    put_load(f, offsetof(struct seccomp_data, arch));
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                        AUDIT_ARCH_X86_64, 1, 0));
    put_return(f, SECCOMP_RET_KILL_PROCESS);
    put_load(f, offsetof(struct seccomp_data, nr));
    put(f,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
    put_return(f, refuse);
}

static void put_list(struct filter *f, const int *list, size_t bytes,
                     uint32_t what)
{
    for (size_t i = 0; i < bytes / sizeof *list; i++) {
        put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                            (uint32_t)list[i], 0, 1));
        put_return(f, what);
    }
}

/* This call, if no bit of `bits` is in its argument (low half). */
static void put_without_bits(struct filter *f, int call, int argument,
                             uint32_t bits)
{
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                        (uint32_t)call, 0, 4));
    put_load(f, offsetof(struct seccomp_data, args) +
                    (size_t)argument * sizeof(uint64_t));
    put(f,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0));
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, refuse);
}

/* This call, if its first argument is `value`. */
static void put_with(struct filter *f, int call, uint32_t value)
{
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                        (uint32_t)call, 0, 4));
    put_load(f, offsetof(struct seccomp_data, args));
    put(f,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    put_return(f, SECCOMP_RET_ALLOW);
    put_return(f, refuse);
}

static void put_reader(struct filter *f, bool writes)
{
    put_list(f, allowed_to_readers, sizeof allowed_to_readers,
             SECCOMP_RET_ALLOW);
    if (writes)
        put_list(f, allowed_to_fillers, sizeof allowed_to_fillers,
                 SECCOMP_RET_ALLOW);
    put_without_bits(f, SYS_open, 1, OPEN_WRITES);
    put_without_bits(f, SYS_openat, 2, OPEN_WRITES);
    put_without_bits(f, SYS_mmap, 2, PROT_EXEC);
    put_without_bits(f, SYS_mprotect, 2, PROT_EXEC);
    put_with(f, SYS_tgkill, (uint32_t)getpid()); /* abort() */
    put_with(f, SYS_prlimit64, 0);
    put_return(f, refuse);
}

static int filter_install(enum confine_kind kind)
{
    static struct filter f;
    f.count = 0;
    put_head(&f);
    if (kind == CONFINE_READER || kind == CONFINE_FILLER) {
        put_reader(&f, kind == CONFINE_FILLER);
    } else {
        put_list(&f, refused_to_all, sizeof refused_to_all, refuse);
        if (kind == CONFINE_NETWORK)
            put_list(&f, refused_to_network, sizeof refused_to_network, refuse);
        put_return(&f, SECCOMP_RET_ALLOW);
    }
    struct sock_fprog program = {f.count, f.at};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0
                                                                     : -errno;
}

/* ---- where it may write -------------------------------------------------- */

/* Those of the first version; without them nothing is made, changed, removed.
 */
static const uint64_t writes =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

/* Not there before Linux 5.13, or switched off: then nothing happens. */
static void write_below_alone(const char *dir)
{
    struct landlock_ruleset_attr handled = {
        .handled_access_fs = writes | LANDLOCK_ACCESS_FS_EXECUTE};
    int rules =
        (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return;
    struct landlock_path_beneath_attr below = {
        .allowed_access = writes,
        .parent_fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1};
    bool is_ready =
        !dir || (below.parent_fd >= 0 &&
                 syscall(SYS_landlock_add_rule, rules,
                         LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0);
    if (is_ready)
        (void)syscall(SYS_landlock_restrict_self, rules, 0);
    if (below.parent_fd >= 0)
        close(below.parent_fd);
    close(rules);
}

/* ---- all ----------------------------------------------------------------- */

void confine_privately(void)
{
    static const struct rlimit none;
    (void)setrlimit(RLIMIT_CORE, &none);
    if (!IS_SANITIZED)
        (void)prctl(PR_SET_DUMPABLE, 0);
}

int confine(enum confine_kind kind, const char *dir)
{
    confine_privately();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    if (IS_SANITIZED)
        return 0;
    if (kind == CONFINE_READER || kind == CONFINE_FILLER)
        write_below_alone(kind == CONFINE_FILLER ? dir : NULL);
    return filter_install(kind);
}
