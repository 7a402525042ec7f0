/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a program; see objects.h. Files are mapped read-only and
 * looked at through shim/plan, which checks every offset. */
#include "tools/cli/program/objects.h"
#include "bind/debug_file.h"
#include "tools/cli/program/symbols.h"
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

enum {
    OBJECTS_MAX = 2048
};

static int map_file(const char *path, const void **bytes, size_t *len_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &st) < 0 ? -errno : st.st_size == 0 ? -ENOEXEC : 0;
    void *at =
        err ? MAP_FAILED
            : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (!err && at == MAP_FAILED)
        err = -errno;
    close(fd);
    if (err)
        return err;
    *bytes = at;
    *len_bytes = (size_t)st.st_size;
    return 0;
}

static int add(struct objects *o, const char *path, size_t parent, char *why,
               size_t why_bytes)
{
    const char *reason = NULL;
    if (o->count == OBJECTS_MAX)
        return -E2BIG;
    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 32;
        void *grown = realloc(o->at, cap * sizeof *o->at);
        if (!grown)
            return -ENOMEM;
        o->at = grown;
        o->cap = cap;
    }
    struct object *object = &o->at[o->count];
    *object = (struct object){.parent = parent};
    int err = map_file(path, &object->bytes, &object->len_bytes);
    if (err) {
        snprintf(why, why_bytes, "cannot read '%s': %s", path, strerror(-err));
        return err;
    }
    err = plan_image_file(&object->image, object->bytes, object->len_bytes,
                          &reason);
    object->path = err ? NULL : strdup(path);
    if (err || !object->path) {
        snprintf(why, why_bytes, "'%s' cannot be used: %s", path,
                 reason ? reason : strerror(err ? -err : ENOMEM));
        munmap((void *)(uintptr_t)object->bytes, object->len_bytes);
        return err ? err : -ENOMEM;
    }
    const char *slash = strrchr(object->path, '/');
    object->name = slash ? slash + 1 : object->path;
    object->kind = o->count == 0 ? OBJECT_MAIN
                                 : (enum object_kind)bind_kind_of(object->name);
    object->names = object_names_new();
    object->parts = object_parts_new();
    o->count++;
    return 0;
}

static bool is_known(const struct objects *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->at[i].name, name) == 0 ||
            strcmp(o->at[i].path, name) == 0 ||
            (o->at[i].image.soname && strcmp(o->at[i].image.soname, name) == 0))
            return true;
    for (size_t i = 0; i < o->missing_count; i++)
        if (strcmp(o->missing[i], name) == 0)
            return true;
    return false;
}

static int miss(struct objects *o, const char *name)
{
    void *grown =
        realloc(o->missing, (o->missing_count + 1) * sizeof *o->missing);
    if (!grown)
        return -ENOMEM;
    o->missing = grown;
    o->missing[o->missing_count] = strdup(name);
    return o->missing[o->missing_count] ? (o->missing_count++, 0) : -ENOMEM;
}

static int add_needed(struct objects *o, size_t index, const char *name)
{
    char path[PATHS_MAX], why[PATHS_MAX];
    if (is_known(o, name))
        return 0;
    if (library_find(o, index, name, path, sizeof path) < 0 ||
        add(o, path, index, why, sizeof why) < 0)
        return miss(o, name);
    return 0;
}

static int add_all_needed(struct objects *o, size_t index)
{
    const struct plan_image image = o->at[index].image; /* `at` may move */
    uint64_t count = image.dynamic_len / sizeof(Elf64_Dyn);
    const char *table = plan_image_at(&image, image.dynamic, image.dynamic_len);
    int err = 0;
    for (uint64_t i = 0; table && i < count && !err; i++) {
        Elf64_Dyn d;
        memcpy(&d, table + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_NEEDED && d.d_un.d_val < image.dynstr_len &&
            memchr(image.dynstr + d.d_un.d_val, 0,
                   image.dynstr_len - d.d_un.d_val))
            err = add_needed(o, index, image.dynstr + d.d_un.d_val);
    }
    return err;
}

int objects_load(const char *program, struct objects *o, char *why,
                 size_t why_bytes)
{
    char real[PATHS_MAX];
    *o = (struct objects){0};
    char *resolved = realpath(program, NULL);
    snprintf(real, sizeof real, "%s", resolved ? resolved : program);
    free(resolved);
    int err = add(o, real, 0, why, why_bytes);
    for (size_t i = 0; !err && i < o->count; i++) {
        err = add_all_needed(o, i);
        if (err)
            snprintf(why, why_bytes, "cannot list the libraries: %s",
                     strerror(-err));
    }
    if (err)
        objects_free(o);
    return err;
}

void objects_add(struct objects *o, const char *path)
{
    char why[PATHS_MAX];
    const char *slash = strrchr(path, '/');
    if (is_known(o, slash ? slash + 1 : path))
        return;
    size_t first = o->count;
    if (add(o, path, 0, why, sizeof why) == 0)
        (void)!add_all_needed(o, first);
}

void objects_free(struct objects *o)
{
    for (size_t i = 0; i < o->count; i++) {
        munmap((void *)(uintptr_t)o->at[i].bytes, o->at[i].len_bytes);
        if (o->at[i].debug_bytes)
            munmap((void *)(uintptr_t)o->at[i].debug_bytes,
                   o->at[i].debug_len_bytes);
        free(o->at[i].path);
        object_names_free(o->at[i].names);
        object_parts_free(o->at[i].parts);
        free(o->at[i].branches);
        free(o->at[i].labels);
        free(o->at[i].unpacked);
    }
    for (size_t i = 0; i < o->missing_count; i++)
        free(o->missing[i]);
    free(o->missing);
    free(o->at);
    *o = (struct objects){0};
}

struct bind_object object_as_bound(const struct object *o)
{
    return (struct bind_object){(enum bind_kind)o->kind, o->path, &o->image};
}

bool object_matches(const struct object *o, const struct manifest_object *scope)
{
    struct bind_object object = object_as_bound(o);
    return bind_in_scope(&object, scope);
}

static bool take_debug(struct object *own, const char *path, uint32_t crc)
{
    if (map_file(path, &own->debug_bytes, &own->debug_len_bytes) != 0)
        return false;
    if (plan_image_add_debug(&own->image, own->debug_bytes,
                             own->debug_len_bytes, crc) == 0)
        return true;
    munmap((void *)(uintptr_t)own->debug_bytes, own->debug_len_bytes);
    own->debug_bytes = NULL;
    return false;
}

void object_add_symtab(const struct objects *o, const struct object *object)
{
    struct object *own = &o->at[object - o->at];
    char path[PATHS_MAX], *real;
    uint32_t crc = 0;
    if (own->has_symtab || own->image.symtab)
        return;
    own->has_symtab = true;
    const char *link = plan_file_debuglink(own->bytes, own->len_bytes, &crc);
    real = realpath(own->path, NULL);
    for (unsigned i = 0; real && i < BIND_DEBUG_PATHS; i++)
        if (bind_debug_path(i, real, &own->image, link, path, sizeof path) &&
            take_debug(own, path, crc))
            break;
    free(real);
    if (!own->image.symtab)
        (void)!symbols_unpack(own);
}

void object_index_labels(const struct objects *o, const struct object *object)
{
    struct object *own = &o->at[object - o->at];
    if (own->labels && own->labels_symtab == own->image.symtab)
        return;
    free(own->labels); /* of the time before its debug file was read */
    own->image.labels = (struct plan_labels){0};
    own->labels_symtab = own->image.symtab;
    size_t len = plan_image_labels_bytes(&own->image);
    own->labels = len ? malloc(len) : NULL;
    if (own->labels) /* else it only takes longer */
        plan_image_index_labels(&own->image, own->labels);
}

void object_find_branches(const struct objects *o, const struct object *object,
                          uint64_t vaddr)
{
    struct object *own = &o->at[object - o->at];
    object_index_labels(o, object);
    size_t len = plan_image_branches_bytes(&own->image);
    if (len == 0 || plan_image_has_branches(&own->image, vaddr))
        return;
    void *memory = calloc(1, len);
    if (!memory)
        return; /* nothing of it will be patched, and the reason is told */
    size_t used = plan_image_find_branches(&own->image, memory);
    free(own->branches); /* of the time before its debug file was read */
    own->branches = realloc(memory, used ? used : 1);
    own->image.branches.at = own->branches;
}
