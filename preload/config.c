/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment, program and directory, read once in the constructor while the
 * process has a single thread. libc's own environ is not used: our
 * constructor runs before libc's.
 */
#include "preload/config.h"
#include "shim/plan/plan.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

struct config config = {.dir_fd = -1,
                        .file_mode = 0600,
                        .match_max = 2000,
                        .capture_max = MANIFEST_CAPTURE_ALL};

const char *config_get(const char *name)
{
    size_t len = strlen(name);
    for (char **entry = config.env; entry && *entry; entry++) {
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return (*entry)[len + 1] ? *entry + len + 1 : NULL;
    }
    return NULL;
}

bool config_is_disabled(void)
{
    static const char *const yes[] = {"1", "true", "yes", "TRUE", "YES"};
    const char *value = config_get("HANDSPAN_DISABLED");
    for (size_t i = 0; value && i < sizeof(yes) / sizeof(*yes); i++) {
        if (strcmp(value, yes[i]) == 0)
            return true;
    }
    return getauxval(AT_SECURE) != 0;
}

long config_read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    long result = -E2BIG;
    while (len < cap) {
        ssize_t got = read(fd, buf + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            result = -errno;
        else if (got == 0) {
            buf[len] = '\0';
            result = (long)len;
        }
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(fd);
    return result;
}

bool config_status_number(const char *status, const char *name,
                          uint64_t *number)
{
    const char *at = strstr(status, name);
    if (!at)
        return false;
    at += strlen(name);
    while (*at == ':' || *at == '\t' || *at == ' ')
        at++;
    return text_read_number(&at, number);
}

/* Parent and start time: fields 4 and 22, counted from behind the name in
 * parentheses, which may hold anything. */
static void read_stat(void)
{
    char stat[1024];
    if (config_read_file("/proc/self/stat", stat, sizeof(stat)) <= 0)
        return;
    const char *at = strrchr(stat, ')');
    uint64_t number = 0;
    for (unsigned field = 3; at && field <= 22; field++) {
        at = strchr(at + 1, ' ');
        if (!at)
            return;
        const char *digits = at + 1;
        if (field == 4 && text_read_number(&digits, &number))
            config.parent_pid = (uint32_t)number;
        digits = at + 1;
        if (field == 22 && text_read_number(&digits, &number))
            config.start_time = number;
    }
}

static void read_numbers(void)
{
    const char *value = config_get("HANDSPAN_MATCH_MAX");
    uint64_t number;
    if (value && text_read_number(&value, &number) && *value == '\0' &&
        number > 0)
        config.match_max =
            number < PLAN_HANDLERS_MAX ? (uint32_t)number : PLAN_HANDLERS_MAX;
    value = config_get("HANDSPAN_TEST_SHIM");
    if (value && strcmp(value, "frame") == 0)
        config.force_shim = LANE_SHIM_FRAME;
    else if (value && strcmp(value, "zero") == 0)
        config.force_shim = LANE_SHIM_ZERO_COPY;
}

static void read_capture(void)
{
    static const char *const names[] = {
        [MANIFEST_CAPTURE_NONE] = "none",
        [MANIFEST_CAPTURE_NAMED] = "named",
        [MANIFEST_CAPTURE_ALL] = "all",
    };
    const char *value = config_get("HANDSPAN_CAPTURE");
    if (!value)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(value, names[i]) == 0) {
            config.capture_max = (enum manifest_capture)i;
            return;
        }
    }
    /* who wrote it wanted less than the manifest says */
    config.capture_max = MANIFEST_CAPTURE_NONE;
    note_lines("context", "HANDSPAN_CAPTURE is none, named or all, not", value,
               "; nothing is captured");
}

int config_read(void)
{
    char status[4096];
    uint64_t number = 0;
    ssize_t len =
        readlink("/proc/self/exe", config.exe, sizeof(config.exe) - 1);
    config.exe[len > 0 ? len : 0] = '\0';
    struct text started = {config.started, 0, sizeof(config.started)};
    const char *exec_name = (const char *)getauxval(AT_EXECFN);
    text_put(&started, exec_name ? exec_name : config.exe);
    config.program = text_basename(config.started);
    config.uid = (uint32_t)geteuid();
    read_stat();
    read_numbers();
    read_capture();
    /* A prctl could be what the filter forbids; reading a file is not, the
     * loader did so a moment ago. */
    if (config_read_file("/proc/self/status", status, sizeof(status)) > 0 &&
        config_status_number(status, "\nSeccomp:", &number))
        config.is_seccomp = number != 0;
    return 0;
}

/* 0 and config.file_mode, or why the directory is refused. */
static int check_dir(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if ((st.st_mode & 07777) == 02770) {
        config.file_mode = 0660;
        return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
    }
    if (st.st_uid != config.uid)
        return -EPERM;
    if ((st.st_mode & 077) != 0)
        return -EACCES;
    config.file_mode = 0600;
    return 0;
}

static int open_dir(const char *path)
{
    /* the program's umask may take bits away from 0700 */
    if (mkdir(path, 0700) == 0 && chmod(path, 0700) != 0)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = check_dir(fd);
    if (err) {
        close(fd);
        return err;
    }
    config.dir_fd = fd;
    return 0;
}

static const char *refusal(int err)
{
    switch (err) {
    case -EPERM:
        return "it belongs to somebody else";
    case -EACCES:
        return "others may enter it: chmod 0700 (or 2770 for a group)";
    case -ELOOP:
    case -ENOTDIR:
        return "it is no directory, or a symbolic link";
    case -EINVAL:
        return "the path is not absolute";
    case -ENAMETOOLONG:
        return "the path is too long";
    default:
        return "it cannot be made or opened";
    }
}

/* Candidate `number` of the places where the directory may be; false: no
 * such candidate. */
static bool candidate(unsigned number, struct text *path)
{
    const char *base;
    switch (number) {
    case 0:
        base = config_get("XDG_RUNTIME_DIR");
        if (base && *base == '/') {
            text_put(path, base);
            text_put(path, "/handspan");
        }
        return true;
    case 1:
        text_put(path, "/dev/shm/handspan-");
        break;
    case 2:
        text_put(path, "/tmp/handspan-");
        break;
    default:
        return false;
    }
    text_put_number(path, config.uid);
    return true;
}

int config_open_dir(void)
{
    struct text path = {config.dir, 0, sizeof(config.dir)};
    const char *told = config_get("HANDSPAN_DIR");
    int err = -ENOENT;
    if (told) {
        text_put(&path, told);
        if (*told != '/')
            err = -EINVAL;
        else if (!text_fits(&path))
            err = -ENAMETOOLONG;
        else
            err = open_dir(config.dir);
        if (err)
            note_lines("directory", config.dir, "is refused:", refusal(err));
        return err;
    }
    for (unsigned i = 0;; i++) {
        path.len = 0;
        if (!candidate(i, &path))
            return err;
        if (path.len == 0 || !text_fits(&path))
            continue;
        err = open_dir(config.dir);
        if (err == 0)
            return 0;
    }
}

bool config_is_off(void)
{
    return faccessat(config.dir_fd, "off", F_OK, 0) == 0;
}
