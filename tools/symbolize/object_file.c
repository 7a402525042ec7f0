/* SPDX-License-Identifier: Apache-2.0 */
/* Files of objects, kept from one process to the next: see object_file.h. */
#include "tools/symbolize/object_file.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FILES_MAX = 128,
    KEEP_MB = 512, /* of files; what elfutils makes of them is as much */
};

static struct object_file *kept[FILES_MAX];
static int64_t uses;

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = object_file_find_debug,
};

static int64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void file_free(struct object_file *f)
{
    if (!f)
        return;
    if (f->dwfl)
        dwfl_end(f->dwfl);
    free(f->path);
    free(f->found);
    free(f->debug);
    free(f);
}

/* ---- reading one --------------------------------------------------------- */

static bool is_it(const struct object_file *f, Dwfl_Module *module)
{
    const unsigned char *bits = NULL;
    GElf_Addr at;
    int len = dwfl_module_build_id(module, &bits, &at);
    if (f->build_id_bytes == 0)
        return !f->search; /* nothing to tell it by */
    return len > 0 && (uint32_t)len >= f->build_id_bytes &&
           memcmp(bits, f->build_id, f->build_id_bytes) == 0;
}

static void read_elf(struct object_file *f, Dwfl_Module *module)
{
    void **userdata;
    GElf_Addr bias;
    f->module = module;
    f->elf = dwfl_module_getelf(module, &bias);
    dwfl_module_info(module, &userdata, &f->low, NULL, NULL, NULL, NULL, NULL);
    *userdata = f;
}

/* The file into dwfl, if it is (still) the one that was mapped. */
static void file_read(struct object_file *f)
{
    int fd = object_file_open(f);
    if (fd < 0) {
        f->trouble = "no file";
        return;
    }
    if (fstat(fd, &f->at) == 0)
        f->bytes = (uint64_t)f->at.st_size;
    dwfl_report_begin(f->dwfl);
    Dwfl_Module *module =
        dwfl_report_elf(f->dwfl, f->path, f->path, fd, 0, true);
    if (!module) {
        close(fd); /* otherwise dwfl owns it */
        f->trouble = "no ELF file";
    } else if (!is_it(f, module)) {
        f->trouble = "another file now";
    } else {
        read_elf(f, module);
    }
    dwfl_report_end(f->dwfl, NULL, NULL);
}

static struct object_file *file_new(const struct search_object *object,
                                    const struct search *search)
{
    struct object_file *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->search = search;
    f->build_id_bytes = object->build_id_bytes;
    memcpy(f->build_id, object->build_id, object->build_id_bytes);
    f->path = strdup(object->path);
    f->dwfl = f->path ? dwfl_begin(&callbacks) : NULL;
    if (!f->dwfl) {
        file_free(f);
        return NULL;
    }
    file_read(f);
    f->since_s = now_s();
    return f;
}

/* ---- those that are kept ------------------------------------------------- */

static bool is_for(const struct object_file *f,
                   const struct search_object *object)
{
    return f->build_id_bytes == object->build_id_bytes &&
           memcmp(f->build_id, object->build_id, object->build_id_bytes) == 0 &&
           strcmp(f->path, object->path) == 0;
}

/* Nobody wrote to it or put another one in its place. */
static bool is_unchanged(const struct object_file *f)
{
    struct stat at;
    return stat(f->path, &at) == 0 && at.st_dev == f->at.st_dev &&
           at.st_ino == f->at.st_ino && at.st_size == f->at.st_size &&
           at.st_mtim.tv_sec == f->at.st_mtim.tv_sec &&
           at.st_mtim.tv_nsec == f->at.st_mtim.tv_nsec;
}

static void drop(int at)
{
    file_free(kept[at]);
    kept[at] = NULL;
}

static void drop_old(void)
{
    int64_t now = now_s();
    for (int i = 0; i < FILES_MAX; i++)
        if (kept[i] && !kept[i]->users &&
            now - kept[i]->since_s >= OBJECT_FILE_KEEP_S)
            drop(i);
}

static struct object_file *find(const struct search_object *object)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (!kept[i] || !is_for(kept[i], object))
            continue;
        if (kept[i]->users || is_unchanged(kept[i]))
            return kept[i];
        drop(i);
    }
    return NULL;
}

/* A place for one more: those that nobody uses go, the longest unused first,
 * until there is one and what is kept is not too large. -1: all are in use. */
static int make_room(void)
{
    for (;;) {
        int free_at = -1, oldest = -1;
        uint64_t bytes = 0;
        for (int i = 0; i < FILES_MAX; i++) {
            if (!kept[i]) {
                free_at = i;
                continue;
            }
            bytes += kept[i]->bytes;
            if (!kept[i]->users &&
                (oldest < 0 || kept[i]->used < kept[oldest]->used))
                oldest = i;
        }
        if (oldest < 0 || (free_at >= 0 && bytes <= (uint64_t)KEEP_MB << 20))
            return free_at;
        drop(oldest);
    }
}

struct object_file *object_file_get(const struct search_object *object,
                                    const struct search *search)
{
    drop_old();
    struct object_file *f = search ? NULL : find(object);
    if (!f) {
        int at = search ? -1 : make_room();
        f = file_new(object, search);
        if (f && f->module && at >= 0)
            kept[at] = f;
    }
    if (f) {
        f->users++;
        f->used = ++uses;
    }
    return f;
}

void object_file_put(struct object_file *file)
{
    if (!file || --file->users > 0)
        return;
    for (int i = 0; i < FILES_MAX; i++)
        if (kept[i] == file)
            return;
    file_free(file);
}

void object_files_end(void)
{
    for (int i = 0; i < FILES_MAX; i++)
        drop(i);
}
