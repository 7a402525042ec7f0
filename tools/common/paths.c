/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolution of directory, store and preload; see paths.h. Environment and
 * file system are read at each call: nothing but the settings file is cached,
 * so that a test may change them.
 */
#include "tools/common/paths.h"
#include "tools/common/config.h"
#include <errno.h>
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

static bool is_usable_parent(const char *dir)
{
    struct stat st;
    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
           access(dir, W_OK | X_OK) == 0;
}

int paths_dir(const char *override, char *out, size_t cap_bytes)
{
    if (!override)
        override = config_get(CONFIG_DIR);
    if (override)
        return paths_absolute(override, out, cap_bytes);
    const char *runtime = env("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/' && is_usable_parent(runtime))
        return join(out, cap_bytes, runtime, "/handspan");
    char name[40];
    snprintf(name, sizeof name, "/handspan-%u", (unsigned)geteuid());
    if (is_usable_parent("/dev/shm"))
        return join(out, cap_bytes, "/dev/shm", name);
    return join(out, cap_bytes, "/tmp", name);
}

/* Is the existing directory one that we may trust? */
static int check_dir(const char *dir, char *why, size_t why_bytes)
{
    struct stat st;
    if (lstat(dir, &st) < 0) {
        int err = errno;
        snprintf(why, why_bytes, "cannot look at '%s': %s", dir, strerror(err));
        return -err;
    }
    if (!S_ISDIR(st.st_mode)) {
        snprintf(why, why_bytes, "'%s' is %s, not a directory", dir,
                 S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
        return -ENOTDIR;
    }
    bool shared = (st.st_mode & 07777) == 02770;
    if (st.st_uid != geteuid() && !shared) {
        snprintf(why, why_bytes,
                 "'%s' belongs to user %u, not to you (user %u)", dir,
                 (unsigned)st.st_uid, (unsigned)geteuid());
        return -EPERM;
    }
    if (!shared && (st.st_mode & 0077)) {
        snprintf(why, why_bytes,
                 "others may enter '%s' (mode %o), so no program would be "
                 "traced there: chmod 700 '%s'",
                 dir, (unsigned)(st.st_mode & 07777), dir);
        return -EPERM;
    }
    if (access(dir, R_OK | W_OK | X_OK) < 0) {
        int err = errno;
        snprintf(why, why_bytes, "cannot write to '%s': %s", dir,
                 strerror(err));
        return -err;
    }
    return 0;
}

int paths_make_dir(const char *dir, char *why, size_t why_bytes)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        int err = errno;
        snprintf(why, why_bytes, "cannot create '%s': %s", dir, strerror(err));
        return -err;
    }
    return check_dir(dir, why, why_bytes);
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
    struct stat st;
    if (stat(user->pw_dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return NULL;
    return user->pw_dir;
}

int paths_store(const char *override, const char *dir, char *out,
                size_t cap_bytes)
{
    if (!override)
        override = config_get(CONFIG_STORE);
    if (override)
        return paths_absolute(override, out, cap_bytes);
    const char *data = env("XDG_DATA_HOME");
    if (data && data[0] == '/')
        return join(out, cap_bytes, data, "/handspan/handspan.db");
    const char *home = home_dir();
    if (home)
        return join(out, cap_bytes, strcmp(home, "/") == 0 ? "" : home,
                    "/.local/share/handspan/handspan.db");
    return join(out, cap_bytes, dir, "/handspan.db");
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
            access(real, R_OK) == 0)
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
