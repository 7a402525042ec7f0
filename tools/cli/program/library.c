/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a library as ld.so(8) does: DT_RPATH of the chain (where there is no
 * DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, /etc/ld.so.cache, the default
 * folders. The cache is read in its present format (glibc 2.2 and later); a
 * damaged one is passed over. Declared in objects.h.
 */
#include "tools/cli/program/objects.h"
#include "tools/common/paths.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only an x86-64 object is taken: others of that name are passed over. */
static bool is_usable(const char *path)
{
    Elf64_Ehdr head;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = read(fd, &head, sizeof head) == (ssize_t)sizeof head &&
              memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
              head.e_ident[EI_CLASS] == ELFCLASS64 &&
              head.e_machine == EM_X86_64 && head.e_type == ET_DYN;
    close(fd);
    return ok;
}

/* $ORIGIN and ${ORIGIN} in one entry of a search path. */
static bool expand(const char *entry, size_t len, const char *origin, char *out,
                   size_t cap)
{
    size_t at = 0;
    int dir = (int)(strrchr(origin, '/') ? strrchr(origin, '/') - origin : 0);
    for (size_t i = 0; i < len;) {
        size_t skip = len - i >= 7 && strncmp(entry + i, "$ORIGIN", 7) == 0 ? 7
                      : len - i >= 9 && strncmp(entry + i, "${ORIGIN}", 9) == 0
                          ? 9
                          : 0;
        int n = skip ? snprintf(out + at, cap - at, "%.*s", dir, origin)
                     : snprintf(out + at, cap - at, "%c", entry[i]);
        if (n < 0 || (size_t)n >= cap - at)
            return false;
        at += (size_t)n;
        i += skip ? skip : 1;
    }
    return true;
}

static bool search_path(const char *path, const char *origin, const char *name,
                        char *out, size_t cap)
{
    while (path && *path) {
        char dir[PATHS_MAX];
        size_t len = strcspn(path, ":;");
        if (len > 0 && expand(path, len, origin, dir, sizeof dir)) {
            int n = snprintf(out, cap, "%s/%s", dir, name);
            if (n > 0 && (size_t)n < cap && is_usable(out))
                return true;
        }
        path += len;
        path += *path != 0;
    }
    return false;
}

/* The text of a dynamic entry that is a string, or NULL. */
static const char *dynamic_text(const struct plan_image *image, int64_t tag)
{
    uint64_t count = image->dynamic_len / sizeof(Elf64_Dyn);
    const char *table =
        plan_image_at(image, image->dynamic, image->dynamic_len);
    for (uint64_t i = 0; table && i < count; i++) {
        Elf64_Dyn d;
        memcpy(&d, table + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == tag && d.d_un.d_val < image->dynstr_len &&
            memchr(image->dynstr + d.d_un.d_val, 0,
                   image->dynstr_len - d.d_un.d_val))
            return image->dynstr + d.d_un.d_val;
    }
    return NULL;
}

/* ---- /etc/ld.so.cache --------------------------------------------------- */

#define CACHE_MAGIC "glibc-ld.so.cache1.1"
struct cache_head {
    char magic[20];
    uint32_t count, strings_len;
    uint32_t unused[5];
};
struct cache_entry {
    int32_t flags;
    uint32_t key, value, version;
    uint64_t hwcap;
};
_Static_assert(sizeof(struct cache_head) == 48, "file format of glibc");
_Static_assert(sizeof(struct cache_entry) == 24, "file format of glibc");
enum {
    CACHE_X86_64_LIBC6 = 0x0303
};

static const char *cache_text(const char *bytes, size_t len, uint32_t offset)
{
    return offset < len && memchr(bytes + offset, 0, len - offset)
               ? bytes + offset
               : NULL;
}

static bool search_cache_bytes(const char *bytes, size_t len, const char *name,
                               char *out, size_t cap)
{
    struct cache_head head;
    if (len < sizeof head)
        return false;
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.magic, CACHE_MAGIC, sizeof head.magic) != 0)
        return false;
    for (uint64_t i = 0; i < head.count; i++) {
        struct cache_entry e;
        uint64_t at = sizeof head + i * sizeof e;
        if (at + sizeof e > len)
            return false;
        memcpy(&e, bytes + at, sizeof e);
        const char *key = cache_text(bytes, len, e.key);
        const char *value = cache_text(bytes, len, e.value);
        if (!key || !value || e.hwcap || e.flags != CACHE_X86_64_LIBC6 ||
            strcmp(key, name) != 0 || !is_usable(value))
            continue;
        int n = snprintf(out, cap, "%s", value);
        return n > 0 && (size_t)n < cap;
    }
    return false;
}

static bool search_cache(const char *name, char *out, size_t cap)
{
    struct stat st;
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    void *bytes = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return false;
    bool found = search_cache_bytes(bytes, (size_t)st.st_size, name, out, cap);
    munmap(bytes, (size_t)st.st_size);
    return found;
}

/* ---- all of it ---------------------------------------------------------- */

int library_find(const struct objects *o, size_t object, const char *name,
                 char *out, size_t cap_bytes)
{
    const struct object *who = &o->at[object];
    const char *runpath = dynamic_text(&who->image, DT_RUNPATH);
    if (strchr(name, '/')) {
        int n = snprintf(out, cap_bytes, "%s", name);
        return n > 0 && (size_t)n < cap_bytes && is_usable(out) ? 0 : -ENOENT;
    }
    for (size_t i = object; !runpath; i = o->at[i].parent) {
        const struct object *up = &o->at[i];
        if (!dynamic_text(&up->image, DT_RUNPATH) &&
            search_path(dynamic_text(&up->image, DT_RPATH), up->path, name, out,
                        cap_bytes))
            return 0;
        if (i == 0)
            break;
    }
    bool found =
        search_path(getenv("LD_LIBRARY_PATH"), o->at[0].path, name, out,
                    cap_bytes) ||
        search_path(runpath, who->path, name, out, cap_bytes) ||
        search_cache(name, out, cap_bytes) ||
        search_path("/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:"
                    "/usr/lib64:/lib:/usr/lib",
                    "/", name, out, cap_bytes);
    return found ? 0 : -ENOENT;
}
