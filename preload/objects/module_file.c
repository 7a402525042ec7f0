/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of an object, mapped as long as a round of binding needs it: its
 * .symtab or that of its debug file, its text as it was before anybody changed
 * it, an index of its labels. A file is believed where it is the one that the
 * object was mapped from.
 */
#include "bind/debug_file.h"
#include "lane/format/assert.h"
#include "preload/objects/modules.h"
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LABELS_FROM = 3 /* functions of one object: the index costs some three */
};

/* Something is there that modules_drop_files() drops. */
static bool any_used;

static void drop_labels(struct module *module)
{
    if (module->labels)
        munmap(module->labels, module->labels_bytes);
    module->labels = NULL;
    module->image.labels = (struct plan_labels){0};
}

static const void *map_path(const char *path, size_t *len, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    void *at = MAP_FAILED;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_size > 0)
        at = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        return NULL;
    *len = (size_t)st->st_size;
    return at;
}

/* The kernel's own way to the file that runs. */
static bool has_exe_link(const struct module *module)
{
    return module->kind == MODULE_MAIN && !config.is_by_loader;
}

const char *module_file_path(const struct module *module, char *whole,
                             size_t cap_bytes)
{
    /* a name that was unlinked, replaced, or never was one (memfd) */
    const char *path = has_exe_link(module)
                           ? "/proc/self/exe"
                           : module_whole_path(module, whole, cap_bytes);
    return module->is_usable && *path == '/' ? path : NULL;
}

/* Its file, mapped, or NULL. Nothing of it is read yet. */
static const void *map_file(const struct module *module, size_t *len,
                            struct stat *st)
{
    char whole[PATH_MAX];
    const char *path = module_file_path(module, whole, sizeof(whole));
    return path ? map_path(path, len, st) : NULL;
}

static bool is_same_segment(const struct module *module, const uint8_t *file,
                            size_t len, const struct plan_segment *segment)
{
    uint8_t now[1024];
    const struct plan_image *image = &module->image;
    if (segment->offset > len || segment->filesz > len - segment->offset)
        return false;
    for (uint64_t i = 0; i < segment->filesz; i += sizeof(now)) {
        uint64_t n = segment->filesz - i;
        n = n < sizeof(now) ? n : sizeof(now);
        const void *at = plan_image_at(image, segment->vaddr + i, n);
        if (!at)
            return false;
        memcpy(now, at, n);
        if (image->restore)
            image->restore(image, segment->vaddr + i, now, n);
        if (memcmp(now, file + segment->offset + i, n) != 0)
            return false;
    }
    return true;
}

/* An object without build id: is this the file that it was mapped from? All of
 * its code is compared. */
static bool is_same_text(const struct module *module, const void *file,
                         size_t len)
{
    lane_assert(file != NULL && len != 0);
    bool any = false;
    if (module->image.build_id_len > 0)
        return false;
    if (has_exe_link(module))
        return true;
    for (uint32_t i = 0; i < module->image.segment_count; i++) {
        const struct plan_segment *segment = &module->image.segments[i];
        if (!(segment->flags & PF_X))
            continue;
        if (!is_same_segment(module, file, len, segment))
            return false;
        any = true;
    }
    return any;
}

/* What the tools unpacked of its .gnu_debugdata before, ours alone. */
static const void *map_unpacked(struct module *module, size_t *len)
{
    char path[PATH_MAX];
    struct stat st;
    if (!bind_unpacked_path(config.dir, config.uid, &module->image, path,
                            sizeof(path)))
        return NULL;
    const void *at = map_path(path, len, &st);
    if (!at)
        return NULL;
    if (st.st_uid == config.uid && (st.st_mode & 077) == 0 &&
        plan_image_add_debugdata(&module->image, at, *len) == 0)
        return at;
    munmap((void *)(uintptr_t)at, *len);
    return NULL;
}

/* The debug file of an object whose file has no symbols; `file` is that one. */
static const void *map_debug(struct module *module, const void *file,
                             size_t file_len, size_t *len)
{
    lane_assert(module->image.symtab == NULL);
    char path[PATH_MAX];
    struct stat st;
    uint32_t crc = 0;
    const char *link = plan_file_debuglink(file, file_len, &crc);
    for (unsigned i = 0; i < BIND_DEBUG_PATHS; i++) {
        if (!bind_debug_path(i, module->path, &module->image, link, path,
                             sizeof(path)))
            continue;
        const void *at = map_path(path, len, &st);
        if (at && plan_image_add_debug(&module->image, at, *len, crc) == 0)
            return at;
        if (at)
            munmap((void *)(uintptr_t)at, *len);
    }
    return map_unpacked(module, len);
}

void module_add_symtab(struct module *module)
{
    size_t len, debug_len;
    struct stat st;
    if (module->has_symtab)
        return;
    const void *at = map_file(module, &len, &st);
    module->has_symtab = any_used = true;
    if (!at)
        return;
    bool is_it = plan_image_add_symtab(&module->image, at, len,
                                       is_same_text(module, at, len)) == 0;
    if (is_it && !module->image.symtab) {
        const void *debug = map_debug(module, at, len, &debug_len);
        munmap((void *)(uintptr_t)at, len);
        at = debug;
        len = debug_len;
    } else if (!is_it) {
        munmap((void *)(uintptr_t)at, len);
        at = NULL;
    }
    if (!at)
        return;
    drop_labels(module); /* they were of .dynsym alone */
    lane_assert(module->file == NULL);
    module->file = at;
    module->file_bytes = len;
}

/* ---- is it still what the file says? ------------------------------------ */

void module_open_text(struct module *module)
{
    struct plan_image image;
    const char *why;
    size_t len;
    if (module->has_text_file)
        return;
    module->has_text_file = any_used = true;
    const void *at = map_file(module, &len, &module->text_stat);
    if (!at)
        return;
    bool same = plan_image_file(&image, at, len, &why) == 0 &&
                image.build_id_len == module->image.build_id_len &&
                memcmp(image.build_id, module->image.build_id,
                       image.build_id_len) == 0 &&
                (image.build_id_len > 0 || module->kind == MODULE_MAIN);
    if (!same) {
        munmap((void *)(uintptr_t)at, len);
        return;
    }
    lane_assert(module->text_file == NULL);
    module->text_file = at;
    module->text_file_bytes = len;
}

struct range {
    uint64_t low, len;
    bool is_relocated;
};

static void see_word(void *context, uint64_t place, uint64_t target)
{
    struct range *range = context;
    (void)target;
    range->is_relocated |= place + 8 - range->low < range->len + 8;
}

bool module_is_changed(struct module *module, uint64_t vaddr, size_t n)
{
    lane_assert(module != NULL && n != 0);
    struct range range = {vaddr, n, false};
    const void *now = plan_image_at(&module->image, vaddr, n);
    module_open_text(module);
    if (!now || !module->text_file)
        return false;
    for (uint32_t i = 0; i < module->image.segment_count; i++) {
        const struct plan_segment *segment = &module->image.segments[i];
        uint64_t skip = vaddr - segment->vaddr;
        if (skip >= segment->filesz || n > segment->filesz - skip ||
            segment->offset + skip + n > module->text_file_bytes)
            continue;
        if (memcmp(now,
                   (const char *)module->text_file + segment->offset + skip,
                   n) == 0)
            return false;
        plan_image_each_word(&module->image, see_word, &range);
        return !range.is_relocated;
    }
    return false;
}

void module_index_labels(struct module *module)
{
    any_used = true;
    if (module->labels || ++module->planned < LABELS_FROM)
        return;
    module->labels_bytes = plan_image_labels_bytes(&module->image);
    if (module->labels_bytes == 0)
        return;
    void *at = mmap(NULL, module->labels_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED)
        return; /* it only takes longer */
    module->labels = at;
    plan_image_index_labels(&module->image, at);
}

void modules_drop_files(void)
{
    for (uint32_t i = 0; any_used && i < modules.count; i++) {
        struct module *module = &modules.at[i];
        drop_labels(module);
        module->planned = 0;
        if (module->text_file)
            munmap((void *)(uintptr_t)module->text_file,
                   module->text_file_bytes);
        module->text_file = NULL;
        module->has_text_file = false;
        if (!module->file)
            continue;
        module->image.symtab = NULL;
        module->image.symtab_count = 0;
        module->image.strtab = NULL;
        module->image.strtab_len = 0;
        munmap((void *)(uintptr_t)module->file, module->file_bytes);
        module->file = NULL;
        module->has_symtab = false;
    }
    any_used = false;
}
