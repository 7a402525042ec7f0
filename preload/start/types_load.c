/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is ours or it is not read, and every object that it speaks of must
 * be of the build it was made from: by build-id where the object is loaded, by
 * size, time and inode where it is not yet. tools/cli/program/types_cache.c
 * writes it.
 */
#include "preload/start/types_load.h"
#include "lane/format/assert.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TYPES_BYTES_MAX = 8 << 20,
    LOADED_MAX = 512,
    BUILD_ID_MAX = 32, /* bytes */
};

struct loaded {
    const char *path;
    const uint8_t *build_id;
    uint32_t build_id_bytes;
};
struct list {
    struct loaded at[LOADED_MAX];
    uint32_t count;
};

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
#define HASH_START 0xcbf29ce484222325u

static void find_build_id(uint64_t at, uint64_t end, struct loaded *out)
{
    lane_assert(out->build_id == NULL);
    while (at < end && end - at >= sizeof(Elf64_Nhdr)) {
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;
        uint64_t name = at + sizeof *note;
        uint64_t data = name + ((note->n_namesz + UINT64_C(3)) & ~UINT64_C(3));
        uint64_t next = data + ((note->n_descsz + UINT64_C(3)) & ~UINT64_C(3));
        if (next > end || next <= at)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp((const void *)name, "GNU", 4) == 0 &&
            note->n_descsz <= BUILD_ID_MAX) {
            out->build_id = (const uint8_t *)data;
            out->build_id_bytes = note->n_descsz;
            return;
        }
        at = next;
    }
}

static int list_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct list *list = context;
    (void)size;
    if (list->count == LOADED_MAX)
        return 1;
    lane_assert(list->count < LOADED_MAX);
    struct loaded *l = &list->at[list->count];
    l->path = list->count == 0 ? config.exe : info->dlpi_name;
    list->count++;
    for (unsigned i = 0; i < info->dlpi_phnum && !l->build_id; i++) {
        const Elf64_Phdr *phdr = &info->dlpi_phdr[i];
        uint64_t at = info->dlpi_addr + phdr->p_vaddr;
        if (phdr->p_type == PT_NOTE && phdr->p_align <= 4)
            find_build_id(at, at + phdr->p_memsz, l);
    }
    return 0;
}

/* "SIZE-MTIME_NS-INODE" */
static bool put_stat(const char *path, struct text *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    text_put_number(out, (uint64_t)st.st_size);
    text_put(out, "-");
    text_put_number(out, (uint64_t)st.st_mtim.tv_sec * 1000000000u +
                             (uint64_t)st.st_mtim.tv_nsec);
    text_put(out, "-");
    text_put_number(out, (uint64_t)st.st_ino);
    return true;
}

static void put_build_id(const struct loaded *l, struct text *out)
{
    lane_assert(l->build_id != NULL && l->build_id_bytes <= BUILD_ID_MAX);
    for (uint32_t i = 0; i < l->build_id_bytes; i++)
        text_put_hex(out, l->build_id[i], 2);
}

static bool name_file(const struct loaded *program, const char *manifest,
                      size_t len_bytes, struct text *out)
{
    char bytes[128];
    struct text id = {bytes, 0, sizeof bytes};
    if (program->build_id)
        put_build_id(program, &id);
    else if (!put_stat(program->path, &id))
        return false;
    text_put(out, config.dir);
    text_put(out, "/types-");
    text_put_number(out, config.uid);
    text_put(out, "/");
    text_put_hex(out, hash_bytes(HASH_START, manifest, len_bytes), 16);
    text_put(out, "-");
    text_put_hex(out, hash_bytes(HASH_START, id.bytes, id.len), 16);
    return text_fits(out);
}

static int map_file(const char *path, struct types_file *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &st) != 0 ? -errno
              : !S_ISREG(st.st_mode) || st.st_uid != config.uid ||
                      st.st_mode & (S_IWGRP | S_IWOTH)
                  ? -EPERM
              : st.st_size > TYPES_BYTES_MAX || st.st_size == 0 ? -EFBIG
                                                                : 0;
    size_t len = err ? 0 : (size_t)st.st_size;
    void *at = err ? MAP_FAILED
                   : mmap(NULL, len + 1, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* copied: a file that shrinks meanwhile must not fault */
    if (!err && (at == MAP_FAILED || pread(fd, at, len, 0) != (ssize_t)len))
        err = -EIO;
    close(fd);
    if (err && at != MAP_FAILED)
        munmap(at, len + 1);
    if (err)
        return err;
    lane_assert(at != MAP_FAILED && len != 0 && len <= TYPES_BYTES_MAX);
    out->at = at;
    out->len = len + 1;
    return 0;
}

/* The next word of the line that ends at `end`. */
static const char *word(const char **at, const char *end, size_t *len)
{
    lane_assert(*at <= end);
    const char *start = *at;
    while (*at < end && **at != ' ')
        ++*at;
    *len = (size_t)(*at - start);
    if (*at < end)
        ++*at;
    return start;
}

/* "BUILD-ID SIZE-MTIME-INODE PATH", up to `end`. */
static bool is_same_build(const struct list *list, const char *at,
                          const char *end)
{
    lane_assert(at <= end && list->count <= LOADED_MAX);
    char bytes[128], path[PATH_MAX];
    size_t id_len, stat_len;
    struct text made = {bytes, 0, sizeof bytes};
    struct text name = {path, 0, sizeof path};
    const char *id = word(&at, end, &id_len);
    const char *file = word(&at, end, &stat_len);
    text_put_bytes(&name, at, (size_t)(end - at));
    if (!text_fits(&name))
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct loaded *l = &list->at[i];
        if (!l->build_id ||
            strcmp(text_basename(l->path), text_basename(path)) != 0)
            continue;
        put_build_id(l, &made);
        return made.len == id_len && memcmp(made.bytes, id, id_len) == 0;
    }
    return put_stat(path, &made) && made.len == stat_len &&
           memcmp(made.bytes, file, stat_len) == 0;
}

static bool is_for_us(const struct list *list, const char *text)
{
    static const char head[] = "// handspan types 1\n";
    static const char object[] = "// object ";
    if (strncmp(text, head, sizeof head - 1) != 0)
        return false;
    while (strncmp(text, "//", 2) == 0) {
        const char *end = strchr(text, '\n');
        if (!end)
            return false;
        if (strncmp(text, object, sizeof object - 1) == 0 &&
            !is_same_build(list, text + sizeof object - 1, end)) {
            note_line("types", "what was read of the debug information is "
                               "of another build: not used");
            return false;
        }
        text = end + 1;
    }
    return true;
}

void types_load(const char *manifest, size_t len_bytes, struct types_file *out)
{
    static struct list list; /* the constructor runs once */
    char path[PATH_MAX];
    struct text name = {path, 0, sizeof path};
    memset(out, 0, sizeof *out);
    dl_iterate_phdr(list_object, &list);
    if (list.count == 0 ||
        !name_file(&list.at[0], manifest, len_bytes, &name) ||
        map_file(path, out) != 0)
        return;
    if (!is_for_us(&list, out->at)) {
        types_unload(out);
        return;
    }
    out->types = (struct manifest_types){.file = "(debug information)",
                                         .text = out->at,
                                         .len_bytes = out->len - 1};
}

void types_unload(struct types_file *file)
{
    if (file->at)
        munmap(file->at, file->len);
    memset(file, 0, sizeof *file);
}
