/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolution of directory, store and preload; see paths.h. Environment and
 * file system are read at each call: nothing but the settings file is cached,
 * so that a test may change them.
 */
#include "tools/common/paths.h"
#include "lane/writer/place.h"
#include "tools/common/config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static_assert(PATHS_MAX >= PATH_MAX, "a resolved path must fit");

/* Value of an environment variable, NULL when unset or empty. */
static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int join(char *out, size_t cap_bytes, const char *a, const char *b)
{
    int len = snprintf(out, cap_bytes, "%s%s", a, b);
    return len < 0 || (size_t)len >= cap_bytes ? -ENAMETOOLONG : 0;
}

int paths_absolute(const char *path, char *out, size_t cap_bytes)
{
    if (path[0] == '/')
        return join(out, cap_bytes, path, "");
    char cwd[PATHS_MAX];
    if (!getcwd(cwd, sizeof cwd))
        return -errno;
    size_t len = strlen(cwd);
    if (len + 2 > sizeof cwd)
        return -ENAMETOOLONG;
    if (len > 1)
        memcpy(cwd + len, "/", 2);
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    return join(out, cap_bytes, cwd, path);
}

static int place_find(const char *override, bool make, struct lane_place *out)
{
    char path[PATHS_MAX];
    if (!override)
        override = config_get(CONFIG_DIR);
    if (!override)
        return lane_place_default(env("XDG_RUNTIME_DIR"), (uint32_t)geteuid(),
                                  make, out);
    int err = paths_absolute(override, path, sizeof path);
    return err ? err : lane_place_named(path, (uint32_t)geteuid(), make, out);
}

int paths_dir(const char *override, char *out, size_t cap_bytes)
{
    struct lane_place place;
    *out = 0;
    if (!override)
        override = config_get(CONFIG_DIR);
    if (override) /* whether it counts is a question for who uses it */
        return paths_absolute(override, out, cap_bytes);
    int err = place_find(NULL, false, &place);
    if (err)
        return err;
    if (place.fd >= 0)
        close(place.fd);
    return join(out, cap_bytes, place.path, "");
}

static void explain(const struct lane_place *place, int err, char *why,
                    size_t why_bytes)
{
    struct stat st;
    const char *path = place->refused_err ? place->refused : place->path;
    int reason = place->refused_err ? place->refused_err : err;
    const char *clause = lane_place_why(reason);
    why[0] = 0;
    if (!reason)
        return;
    if (reason == -EPERM && lstat(path, &st) == 0 && st.st_uid != geteuid())
        snprintf(why, why_bytes,
                 "'%s' belongs to user %u, not to you (user %u)", path,
                 (unsigned)st.st_uid, (unsigned)geteuid());
    else if (reason == -EACCES && lstat(path, &st) == 0 &&
             (st.st_mode & 0077) != 0)
        snprintf(why, why_bytes,
                 "others may enter '%s' (mode %o), so no program would be "
                 "traced there: chmod 700 '%s'",
                 path, (unsigned)(st.st_mode & 07777), path);
    else if ((reason == -ENOTDIR || reason == -ELOOP) && lstat(path, &st) == 0)
        snprintf(why, why_bytes, "'%s' is %s, not a directory", path,
                 S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
    else if (*path)
        snprintf(why, why_bytes, "'%s' is refused: %s (%s)", path, clause,
                 strerror(-reason));
    else
        snprintf(why, why_bytes, "no directory for sessions is to be had: %s",
                 strerror(-reason));
    size_t len = strlen(why);
    if (err == 0 && len < why_bytes)
        snprintf(why + len, why_bytes - len,
                 "; sessions are kept in '%s' instead", place->path);
}

int paths_take_dir(const char *override, char *out, size_t cap_bytes, char *why,
                   size_t why_bytes)
{
    struct lane_place place = {.fd = -1};
    *out = 0;
    int err = place_find(override, true, &place);
    if (!err)
        err = join(out, cap_bytes, place.path, "");
    if (!err && faccessat(place.fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        err = -errno;
    explain(&place, err, why, why_bytes);
    if (!err)
        return place.fd;
    if (place.fd >= 0)
        close(place.fd);
    return err;
}

int paths_judge_dir(const char *override, char *why, size_t why_bytes)
{
    struct lane_place place = {.fd = -1};
    int err = place_find(override, false, &place);
    explain(&place, err, why, why_bytes);
    if (place.fd >= 0)
        close(place.fd);
    return err;
}

/* The home directory: what the user says, else what the system knows. */
static const char *home_dir(void)
{
    const char *home = env("HOME");
    if (home && home[0] == '/')
        return home;
    const struct passwd *user = getpwuid(geteuid());
    if (!user || !user->pw_dir || user->pw_dir[0] != '/')
        return NULL;
    return user->pw_dir;
}

static bool is_ours(const struct stat *st)
{
    struct stat root;
    return st->st_uid == geteuid() || st->st_uid == 0 ||
           (stat("/", &root) == 0 && st->st_uid == root.st_uid);
}

static bool is_safe_folder(const char *path, bool *exists)
{
    struct stat st;
    *exists = stat(path, &st) == 0;
    if (!*exists)
        return errno == ENOENT;
    return S_ISDIR(st.st_mode) && is_ours(&st) &&
           ((st.st_mode & 0002) == 0 || (st.st_mode & S_ISVTX) != 0);
}

/* Could nobody else put something of theirs there? `base` and every folder
 * from it down to the file that is there already is ours or the system's, and
 * we may go on from the last. Who owns what is above the base owns more. */
static int try_store(const char *base, bool must_exist, const char *below,
                     char *out, size_t cap_bytes)
{
    char path[PATHS_MAX];
    bool exists, is_last = true;
    int err = join(out, cap_bytes, strcmp(base, "/") == 0 ? "" : base, below);
    if (err || join(path, sizeof path, out, "") != 0)
        return -ENAMETOOLONG;
    for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
        *slash = 0;
        const char *folder = *path ? path : "/";
        if (!is_safe_folder(folder, &exists) ||
            (exists && is_last && access(folder, W_OK | X_OK) != 0))
            return -EPERM;
        is_last &= !exists;
        if (strlen(path) > strlen(base))
            continue;
        if (exists || must_exist)
            return exists ? 0 : -ENOENT;
    }
    return -ENOENT;
}

int paths_store(const char *override, const char *dir, char *out,
                size_t cap_bytes)
{
    if (!override)
        override = config_get(CONFIG_STORE);
    if (override)
        return paths_absolute(override, out, cap_bytes);
    const char *data = env("XDG_DATA_HOME"), *home = home_dir();
    if (data && data[0] == '/' &&
        try_store(data, false, "/handspan/handspan.db", out, cap_bytes) == 0)
        return 0;
    if (home && try_store(home, true, "/.local/share/handspan/handspan.db", out,
                          cap_bytes) == 0)
        return 0;
    return *dir ? join(out, cap_bytes, dir, "/handspan.db") : -ENOENT;
}

int paths_store_of(const char *dir_option, const char *store_option, char *out,
                   size_t cap_bytes)
{
    char dir[PATHS_MAX];
    if (paths_dir(dir_option, dir, sizeof dir) != 0)
        dir[0] = 0; /* most stores are elsewhere */
    return paths_store(store_option, dir, out, cap_bytes);
}

bool paths_is_no_file(const char *path)
{
    struct stat at;
    return stat(path, &at) == 0 && !S_ISREG(at.st_mode);
}

int paths_make_parents(const char *file)
{
    char path[PATHS_MAX];
    int err = join(path, sizeof path, file, "");
    if (err)
        return err;
    for (char *slash = strchr(path + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        struct stat st;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return -ENOTDIR;
        *slash = '/';
    }
    return 0;
}

int paths_self(char *out, size_t cap_bytes)
{
    ssize_t len = readlink("/proc/self/exe", out, cap_bytes);
    if (len < 0)
        return -errno;
    if ((size_t)len >= cap_bytes)
        return -ENAMETOOLONG;
    out[len] = 0;
    return 0;
}

bool paths_is_ours(const char *file)
{
    return lane_place_is_ours(file, (uint32_t)geteuid(),
                              lane_place_owner("/proc/self/exe"));
}

int paths_preload(char *out, size_t cap_bytes)
{
    const char *given = env("HANDSPAN_PRELOAD");
    if (given) {
        int err = paths_absolute(given, out, cap_bytes);
        return err ? err : access(out, R_OK) < 0 ? -errno : 0;
    }
    char self[PATHS_MAX], real[PATHS_MAX];
    int err = paths_self(self, sizeof self);
    if (err)
        return err;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');
        if (!slash)
            return -ENOENT;
        *slash = 0;
    }
    static const char *const places[] = {"/lib/handspan/libhandspan.so",
                                         "/lib/libhandspan.so"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (join(real, sizeof real, self, places[i]) == 0 &&
            access(real, R_OK) == 0 && paths_is_ours(real))
            return join(out, cap_bytes, real, "");
    }
    return -ENOENT;
}

int64_t paths_room_bytes(const char *dir)
{
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0)
        return -errno;
    return (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize);
}
