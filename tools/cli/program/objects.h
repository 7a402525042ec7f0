/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF objects that a program starts with, found as the loader finds them
 * but without running anything: the executable, then breadth-first what
 * DT_NEEDED names.
 */
#pragma once
#include "bind/scope.h"
#include "shim/plan/image/image.h"
#include "tools/cli/program/object_names.h"
#include "tools/cli/program/object_parts.h"

enum object_kind {
    OBJECT_MAIN = BIND_MAIN,
    OBJECT_PLAIN = BIND_PLAIN,
    OBJECT_LIBC = BIND_LIBC,
    OBJECT_LOADER = BIND_LOADER,
    OBJECT_OWN = BIND_OWN,
};
struct object {
    char *path;       /* as found */
    const char *name; /* its basename */
    enum object_kind kind;
    struct plan_image image;
    const void *bytes; /* the mapped file */
    size_t len_bytes;
    size_t parent;              /* index of who needs it first */
    struct object_names *names; /* NULL: no memory */
    struct object_parts *parts; /* NULL: no memory */
    void *branches;             /* memory of image.branches */
    uint32_t *labels;           /* memory of image.labels */
    const void *labels_symtab;  /* they are of the tables with this one */
    bool has_symtab; /* a debug file was looked for, if it has none itself */
    const void *debug_bytes; /* the mapped debug file; NULL: none */
    size_t debug_len_bytes;
    void *unpacked; /* of its .gnu_debugdata, for the image's symbols */
    size_t unpacked_bytes;
};
struct objects {
    struct object *at;
    size_t count, cap;
    char **missing; /* needed and not found */
    size_t missing_count;
};

/* 0 or -errno with a sentence in `why`: about the executable alone, what is
 * missing below it is listed. */
int objects_load(const char *program, struct objects *out, char *why,
                 size_t why_bytes) __attribute__((warn_unused_result));
/* One more, and what it needs; nothing if it cannot be read. */
void objects_add(struct objects *o, const char *path);
void objects_free(struct objects *o);

/* As the search for functions sees it. */
struct bind_object object_as_bound(const struct object *o);
/* Full symbols of a stripped object from its debug file, or packed in it,
 * once. */
void object_add_symtab(const struct objects *o, const struct object *object);
/* Before many functions of it are asked for by address: its symbols by address,
 * once, and anew when it got others. */
void object_index_labels(const struct objects *o, const struct object *object);
/* Does a declaration with this scope cover the object? */
bool object_matches(const struct object *o,
                    const struct manifest_object *scope);

/* Before the function at vaddr is planned: who branches where. Also indexes the
 * labels. */
void object_find_branches(const struct objects *o, const struct object *object,
                          uint64_t vaddr);

/* Where the loader finds a library that `object` (index) needs: into `out`.
 * 0 or -ENOENT. For objects.c alone. */
int library_find(const struct objects *o, size_t object, const char *name,
                 char *out, size_t cap_bytes);
