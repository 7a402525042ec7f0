/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled types as files; see types_cache.h. */
#include "tools/cli/program/types_cache.h"
#include "tools/common/text/hash.h"
#include "tools/dwarf/debug.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX_BYTES = 8 << 20,
    IDENTITY_BYTES = 128,
};

/* "BUILD-ID|- SIZE-MTIME_NS-INODE": the first counts where an object is
 * loaded, the rest where it is not yet. */
static bool identity(const char *path, const struct plan_image *image,
                     char out[IDENTITY_BYTES])
{
    struct stat st;
    size_t at = 0;
    if (stat(path, &st) != 0)
        return false;
    for (uint32_t i = 0; i < image->build_id_len && i < PLAN_BUILD_ID_MAX; i++)
        at += (size_t)snprintf(out + at, IDENTITY_BYTES - at, "%02x",
                               image->build_id[i]);
    if (at == 0)
        out[at++] = '-';
    snprintf(out + at, IDENTITY_BYTES - at, " %" PRIu64 "-%" PRIu64 "-%" PRIu64,
             (uint64_t)st.st_size,
             (uint64_t)st.st_mtim.tv_sec * 1000000000 +
                 (uint64_t)st.st_mtim.tv_nsec,
             (uint64_t)st.st_ino);
    return true;
}

/* What the name says of the program: its build-id, else its file. */
static bool program_hash(const struct object *o, uint64_t *hash)
{
    char text[IDENTITY_BYTES];
    if (!identity(o->path, &o->image, text))
        return false;
    char *blank = strchr(text, ' ');
    if (text[0] != '-')
        *blank = 0;
    const char *counts = text[0] != '-' ? text : blank + 1;
    *hash = hash_bytes(HASH_BEGIN, counts, strlen(counts));
    return true;
}

bool types_cache_path(const char *dir, uint64_t manifest_hash,
                      const struct object *program, char *out, size_t cap_bytes)
{
    uint64_t hash;
    if (!program_hash(program, &hash))
        return false;
    int n = snprintf(out, cap_bytes, "%s/types-%u/%016" PRIx64 "-%016" PRIx64,
                     dir, (unsigned)geteuid(), manifest_hash, hash);
    return n > 0 && (size_t)n < cap_bytes;
}

void types_cache_head(struct buf *out, uint64_t hash_all, size_t unanswered,
                      const struct objects *objects, const bool *has_debug)
{
    char text[IDENTITY_BYTES];
    buf_printf(out, "// handspan types 1\n// manifest %016" PRIx64 " %zu\n",
               hash_all, unanswered);
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *o = &objects->at[i];
        if (o->kind != OBJECT_LOADER && !strchr(o->path, '\n') &&
            identity(o->path, &o->image, text))
            buf_printf(out, "// %s %s %s\n", has_debug[i] ? "object" : "bare",
                       text, o->path);
    }
}

bool types_cache_covers(const struct types_cache *c,
                        const struct objects *objects, size_t unanswered)
{
    char text[IDENTITY_BYTES], line[IDENTITY_BYTES + PATHS_MAX + 16];
    size_t open = 0;
    struct debug *debug;
    if (sscanf(c->text, "// handspan types 1 // manifest %*x %zu", &open) !=
            1 ||
        open != unanswered)
        return false;
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *o = &objects->at[i];
        if (o->kind == OBJECT_LOADER) /* nobody's types */
            continue;
        if (!identity(o->path, &o->image, text))
            return false;
        snprintf(line, sizeof line, "\n// object %s %s\n", text, o->path);
        if (strstr(c->text, line))
            continue;
        snprintf(line, sizeof line, "\n// bare %s %s\n", text, o->path);
        if (!strstr(c->text, line))
            return false;
        if (debug_open(o->path, &debug) == 0) { /* it came since */
            debug_close(debug);
            return false;
        }
    }
    return true;
}

/* ---- reading ------------------------------------------------------------ */

static bool is_as_it_was(const char *line)
{
    struct stat st;
    uint64_t size, mtime, inode;
    int path = 0;
    char copy[PATHS_MAX];
    if (sscanf(line, "// object %*s %" SCNu64 "-%" SCNu64 "-%" SCNu64 " %n",
               &size, &mtime, &inode, &path) != 3 ||
        path == 0)
        return false;
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line + path, "\n"),
             line + path);
    return stat(copy, &st) == 0 && (uint64_t)st.st_size == size &&
           (uint64_t)st.st_ino == inode &&
           (uint64_t)st.st_mtim.tv_sec * 1000000000 +
                   (uint64_t)st.st_mtim.tv_nsec ==
               mtime;
}

static bool is_valid(const char *text, uint64_t hash_all)
{
    uint64_t hash;
    if (sscanf(text, "// handspan types 1 // manifest %" SCNx64, &hash) != 1 ||
        hash != hash_all)
        return false;
    for (const char *at = text; (at = strstr(at, "\n// object ")); at++)
        if (!is_as_it_was(at + 1))
            return false;
    return true;
}

static char *read_file(const char *path, size_t *len_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char *text = NULL;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        st.st_size <= FILE_MAX_BYTES &&
        (text = malloc((size_t)st.st_size + 1))) {
        ssize_t n = read(fd, text, (size_t)st.st_size);
        *len_bytes = n < 0 ? 0 : (size_t)n;
        text[*len_bytes] = 0;
    }
    close(fd);
    return text;
}

bool types_cache_read(struct types_cache *c, uint64_t hash_all)
{
    size_t len = 0;
    c->text = read_file(c->path, &len);
    if (c->text && is_valid(c->text, hash_all)) {
        c->types = (struct manifest_types){
            .file = c->path, .text = c->text, .len_bytes = len};
        return true;
    }
    types_cache_free(c);
    return false;
}

void types_cache_free(struct types_cache *c)
{
    free(c->text);
    c->text = NULL;
    c->types = (struct manifest_types){0};
}

/* ---- writing ------------------------------------------------------------ */

/* The oldest one goes, again and again. What is being written begins with a
 * dot; one that was left behind goes, too, in its turn. */
static void prune(int folder, size_t files_max)
{
    char oldest[NAME_MAX + 1];
    for (size_t round = 0; round < files_max; round++) {
        struct dirent *entry;
        struct timespec least = {0};
        size_t count = 0;
        int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        while (dir && (entry = readdir(dir))) {
            struct stat st;
            if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
                !S_ISREG(st.st_mode))
                continue;
            if (count++ == 0 || st.st_mtim.tv_sec < least.tv_sec ||
                (st.st_mtim.tv_sec == least.tv_sec &&
                 st.st_mtim.tv_nsec < least.tv_nsec)) {
                least = st.st_mtim;
                snprintf(oldest, sizeof oldest, "%s", entry->d_name);
            }
        }
        if (dir)
            closedir(dir);
        if (count <= files_max || unlinkat(folder, oldest, 0) != 0)
            return;
    }
}

/* Ours: in a directory that a group shares another may have put a link or a
 * folder of theirs there, and old files are removed from it. */
static int open_folder(const char *folder)
{
    struct stat st;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return -errno;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
        (st.st_mode & 0022) == 0)
        return fd;
    close(fd);
    return -EPERM;
}

static int write_aside(int dir, const char *name, const void *text,
                       size_t len_bytes)
{
    int fd = openat(
        dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, len_bytes);
    int err = n < 0 ? -errno : (size_t)n < len_bytes ? -ENOSPC : 0;
    if (close(fd) != 0 && !err)
        err = -errno;
    return err;
}

int types_cache_write(const char *path, const void *text, size_t len_bytes,
                      size_t files_max)
{
    char folder[PATHS_MAX], aside[NAME_MAX + 1];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    int dir = open_folder(folder);
    if (dir < 0)
        return dir;
    snprintf(aside, sizeof aside, ".%.200s-%d", slash + 1, (int)getpid());
    int err = write_aside(dir, aside, text, len_bytes);
    if (!err && renameat(dir, aside, dir, slash + 1) != 0)
        err = -errno;
    if (err)
        unlinkat(dir, aside, 0);
    else
        prune(dir, files_max);
    close(dir);
    return err;
}
