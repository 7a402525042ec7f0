/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See place.h. What is judged is the open directory (fstat of the descriptor),
 * never a name; names are opened below the parent's descriptor and without
 * following links. Access lists need no look of their own: the group bits of
 * the mode are their mask, and 0700 leaves them nothing.
 */
#define _GNU_SOURCE
#include "lane/writer/place.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PRIVATE = 0700,
    SHARED = 02770,
    OTHERS_WRITE = 0022,
    ENTRIES_MAX = 65536, /* looked through for another name of ours */
    NAME_BYTES = 64,
    RANDOM_DIGITS = 16,
    TRIES = 4,
};

static uint64_t fresh_number(void)
{
    uint64_t number = 0;
    struct timespec t = {0, 0};
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number)
        return number;
    clock_gettime(CLOCK_REALTIME, &t);
    number = (uint64_t)t.tv_nsec << 32 ^ (uint64_t)t.tv_sec ^
             (uint64_t)getpid() << 20 ^ (uint64_t)(uintptr_t)&number;
    return number * UINT64_C(0x9e3779b97f4a7c15);
}

/* Puts `text` behind out[*len]; false: no room. */
static bool put(char *out, size_t cap, size_t *len, const char *text)
{
    lane_assert(*len < cap);
    size_t n = strlen(text);
    if (*len + n + 1 > cap)
        return false;
    memcpy(out + *len, text, n + 1);
    *len += n;
    return true;
}

static int set_path(char out[PATH_MAX], const char *parent, const char *name)
{
    size_t len = 0;
    out[0] = 0;
    if (put(out, PATH_MAX, &len, parent) &&
        (!name ||
         (put(out, PATH_MAX, &len, "/") && put(out, PATH_MAX, &len, name))))
        return 0;
    return -ENAMETOOLONG;
}

/* ---- one that was named -------------------------------------------------- */

/* Could anybody have made the directory? */
static bool is_in_public(int fd)
{
    struct stat parent;
    return fstatat(fd, "..", &parent, 0) != 0 || (parent.st_mode & 0002) != 0;
}

static int judge_named(int fd, uint32_t uid, uint32_t *file_mode)
{
    lane_assert(fd >= 0 && file_mode != NULL);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if ((st.st_mode & 07777) == SHARED) {
        if (st.st_uid != uid && st.st_uid != 0 &&
            (uid == 0 || is_in_public(fd)))
            return -EPERM;
        *file_mode = 0660;
        return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
    }
    if (st.st_uid != uid)
        return -EPERM;
    *file_mode = 0600;
    return (st.st_mode & 0077) != 0 ? -EACCES : 0;
}

/* Missing, and not to be made: 0, fd stays -1. */
static int open_at(int parent, const char *name, bool make, int *out)
{
    lane_assert(name[0] != 0);
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    *out = openat(parent, name, flags);
    if (*out >= 0 || errno != ENOENT || !make)
        return *out >= 0 || errno == ENOENT ? 0 : -errno;
    if (mkdirat(parent, name, PRIVATE) == 0) {
        /* the umask may have taken bits away */
        if (fchmodat(parent, name, PRIVATE, 0) != 0)
            return -errno;
    } else if (errno != EEXIST) {
        return -errno;
    }
    *out = openat(parent, name, flags);
    return *out >= 0 ? 0 : -errno;
}

int lane_place_named(const char *path, uint32_t uid, bool make,
                     struct lane_place *out)
{
    out->fd = -1;
    out->file_mode = 0600;
    out->refused[0] = 0;
    out->refused_err = 0;
    int err = set_path(out->path, path, NULL);
    if (err)
        return err;
    if (*path != '/')
        return -EINVAL;
    err = open_at(AT_FDCWD, path, make, &out->fd);
    if (err || out->fd < 0)
        return err;
    err = judge_named(out->fd, uid, &out->file_mode);
    if (err) {
        close(out->fd);
        out->fd = -1;
    }
    return err;
}

/* ---- one that is chosen -------------------------------------------------- */

struct parent {
    const char *path;
    int fd; /* O_PATH */
    dev_t device;
    uint32_t uid; /* whose directory is looked for */
};

/* What the system is in this user namespace, where root may be nobody. */
static bool is_of_system(const struct stat *st)
{
    struct stat root;
    return st->st_uid == 0 ||
           (stat("/", &root) == 0 && st->st_uid == root.st_uid);
}

static int parent_open(const char *path, uint32_t uid, struct parent *out)
{
    lane_assert(path[0] == '/');
    struct stat st;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool is_safe =
        fstat(fd, &st) == 0 && (st.st_uid == uid || is_of_system(&st)) &&
        ((st.st_mode & OTHERS_WRITE) == 0 || (st.st_mode & S_ISVTX) != 0);
    if (!is_safe) {
        close(fd);
        return -EXDEV;
    }
    *out = (struct parent){path, fd, st.st_dev, uid};
    return 0;
}

static int judge_chosen(int fd, const struct parent *parent)
{
    lane_assert(fd >= 0 && parent->fd >= 0);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_uid != parent->uid)
        return -EPERM;
    if ((st.st_mode & 0077) != 0)
        return -EACCES;
    return st.st_dev == parent->device ? 0 : -EXDEV;
}

/* `*is_held`: the name is there, and not to be had. */
static int try_name(const struct parent *parent, const char *name, bool make,
                    int *fd, bool *is_held)
{
    lane_assert(parent->fd >= 0);
    struct stat st;
    int err = open_at(parent->fd, name, make, fd);
    *is_held = false;
    if (err == 0 && *fd < 0) /* it would be made */
        return faccessat(parent->fd, ".", W_OK | X_OK, AT_EACCESS) == 0
                   ? 0
                   : -errno;
    if (err == 0)
        err = judge_chosen(*fd, parent);
    if (err == 0)
        return 0;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    *is_held = fstatat(parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return *is_held && st.st_uid != parent->uid ? -EPERM : err;
}

/* ---- another name -------------------------------------------------------- */

struct entry { /* struct linux_dirent64 */
    uint64_t inode, offset;
    uint16_t len;
    uint8_t type;
    char name[];
};

static bool is_other_name(const char *name, const char *plain)
{
    lane_assert(plain[0] != 0);
    size_t len = strlen(plain);
    return strncmp(name, plain, len) == 0 && name[len] == '.' &&
           strlen(name + len + 1) == RANDOM_DIGITS;
}

/* The least name of ours: whoever looks takes the same. */
static void choose(const struct parent *parent, const char *plain,
                   const char *name, char best[NAME_BYTES])
{
    lane_assert(parent->fd >= 0);
    int fd = -1;
    bool is_held;
    if (!is_other_name(name, plain) || strlen(name) >= NAME_BYTES ||
        (*best && strcmp(name, best) >= 0))
        return;
    if (try_name(parent, name, false, &fd, &is_held) != 0 || fd < 0)
        return;
    close(fd);
    memcpy(best, name, strlen(name) + 1);
}

static int find_other(const struct parent *parent, const char *plain,
                      char best[NAME_BYTES])
{
    lane_assert(parent->fd >= 0);
    _Alignas(8) char buf[8192];
    long n = 0;
    int count = 0;
    int fd = openat(parent->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    best[0] = 0;
    if (fd < 0)
        return -errno;
    while (count < ENTRIES_MAX &&
           (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
        for (long at = 0; at < n; count++) {
            const struct entry *entry = (const void *)(buf + at);
            lane_assert(entry->len != 0);
            choose(parent, plain, entry->name, best);
            at += entry->len;
        }
    }
    close(fd);
    /* to make one more at each start would be no end */
    return n > 0 && !*best ? -E2BIG : 0;
}

static void make_name(const char *plain, char out[NAME_BYTES])
{
    lane_assert(strlen(plain) + RANDOM_DIGITS + 2 <= NAME_BYTES);
    char digits[RANDOM_DIGITS + 1] = "";
    uint64_t number = fresh_number();
    size_t len = 0;
    for (int i = 0; i < RANDOM_DIGITS; i++, number >>= 4)
        digits[i] = "0123456789abcdef"[number & 15];
    out[0] = 0;
    (void)(put(out, NAME_BYTES, &len, plain) &&
           put(out, NAME_BYTES, &len, ".") &&
           put(out, NAME_BYTES, &len, digits));
}

/* Of two that look at the same moment each may make one: both take the least
 * that they then see. */
static int take_other(const struct parent *parent, const char *plain,
                      char name[NAME_BYTES], int *fd)
{
    lane_assert(parent->fd >= 0 && *fd < 0);
    bool is_held;
    char made[NAME_BYTES] = "";
    for (int i = 0; i < TRIES; i++) {
        int err = find_other(parent, plain, name);
        if (*made && strcmp(made, name) != 0)
            (void)unlinkat(parent->fd, made, AT_REMOVEDIR);
        if (err)
            return err;
        if (*name && try_name(parent, name, false, fd, &is_held) == 0 &&
            *fd >= 0)
            return 0;
        make_name(plain, made);
        if (mkdirat(parent->fd, made, PRIVATE) != 0 ||
            fchmodat(parent->fd, made, PRIVATE, 0) != 0)
            return -errno;
    }
    return -EEXIST;
}

/* ---- all of them --------------------------------------------------------- */

static void note_refused(struct lane_place *out, const char *parent,
                         const char *name, int err)
{
    lane_assert(err < 0);
    if (out->refused_err)
        return;
    if (set_path(out->refused, parent, name) == 0)
        out->refused_err = err;
}

static int try_parent(const char *path, const char *name, uint32_t uid,
                      bool make, struct lane_place *out)
{
    lane_assert(out->fd < 0);
    struct parent parent = {.fd = -1};
    char other[NAME_BYTES];
    bool is_held;
    int err = parent_open(path, uid, &parent);
    if (err) {
        if (err == -EXDEV)
            note_refused(out, path, NULL, -ENOTSUP);
        return err;
    }
    const char *taken = name;
    err = try_name(&parent, name, make, &out->fd, &is_held);
    if (err && is_held) {
        note_refused(out, path, name, err);
        taken = other;
        err = take_other(&parent, name, other, &out->fd);
    }
    if (err == 0)
        err = set_path(out->path, path, taken);
    close(parent.fd);
    return err;
}

static void number_name(char out[NAME_BYTES], uint32_t uid)
{
    char digits[12];
    char *at = digits + sizeof digits;
    size_t len = 0;
    *--at = 0;
    do
        *--at = (char)('0' + uid % 10);
    while (uid /= 10);
    out[0] = 0;
    (void)(put(out, NAME_BYTES, &len, "handspan-") &&
           put(out, NAME_BYTES, &len, at));
}

int lane_place_default(const char *runtime_dir, uint32_t uid, bool make,
                       struct lane_place *out)
{
    static const char *const parents[] = {"/dev/shm", "/tmp"};
    char name[NAME_BYTES];
    int err = -ENOENT;
    out->path[0] = out->refused[0] = 0;
    out->fd = -1;
    out->file_mode = 0600;
    out->refused_err = 0;
    number_name(name, uid);
    if (runtime_dir && *runtime_dir == '/')
        err = try_parent(runtime_dir, "handspan", uid, make, out);
    for (size_t i = 0; err && i < sizeof parents / sizeof *parents; i++)
        err = try_parent(parents[i], name, uid, make, out);
    if (err)
        out->path[0] = 0;
    return err;
}

const char *lane_place_why(int err)
{
    switch (err) {
    case -EPERM:
        return "it belongs to somebody else";
    case -EACCES:
        return "others may enter it: chmod 0700 (a group's, 2770, counts only "
               "where HANDSPAN_DIR names it)";
    case -ELOOP:
    case -ENOTDIR:
        return "it is not a directory, or a symbolic link";
    case -EXDEV:
        return "another file system is mounted over it";
    case -ENOTSUP:
        return "others could take away there what is ours (its owner is "
               "another user, or it lacks the sticky bit)";
    case -EINVAL:
        return "the path is not absolute";
    case -ENAMETOOLONG:
        return "the path is too long";
    default:
        return "it cannot be made or opened";
    }
}

/* ---- files --------------------------------------------------------------- */

/* With its slash; "." of a bare name; what is too long is nowhere. */
static const char *folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    if (len == 0)
        return ".";
    if (len >= PATH_MAX)
        return "";
    memcpy(out, path, len);
    out[len] = 0;
    return out;
}

bool lane_place_is_anybodys(int fd, const char *path, uint32_t uid)
{
    lane_assert(fd >= 0);
    struct stat st, folder;
    char parent[PATH_MAX];
    if (fstat(fd, &st) != 0)
        return true;
    if (!S_ISREG(st.st_mode))
        return false;
    if ((st.st_mode & 0002) != 0)
        return true;
    if (st.st_uid == uid || st.st_uid == 0)
        return false;
    return stat(folder_of(path, parent), &folder) != 0 ||
           (folder.st_mode & 0002) != 0;
}

/* Group-writable is what a umask of 002 makes of a private group. */
bool lane_place_is_ours(const char *path, uint32_t uid, uint32_t maker)
{
    char parent[PATH_MAX];
    struct stat at[3];
    if (lstat(path, &at[0]) != 0 || stat(path, &at[1]) != 0 ||
        stat(folder_of(path, parent), &at[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (at[i].st_uid != uid && at[i].st_uid != maker &&
            !is_of_system(&at[i]))
            return false;
    return (at[1].st_mode & 0002) == 0 &&
           ((at[2].st_mode & 0002) == 0 || (at[2].st_mode & S_ISVTX) != 0);
}

uint32_t lane_place_owner(const char *path)
{
    struct stat at;
    return stat(path, &at) == 0 ? at.st_uid : 0;
}
