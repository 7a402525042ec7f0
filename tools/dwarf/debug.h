/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug information of one object: in its own file, or in the separate one
 * that its build-id or .gnu_debuglink names. This folder owns libdw; nothing of
 * it runs in a traced process. DWARF is hostile input as any other: depth,
 * number of entries and time are bounded, and libdw's own checks are relied on
 * for what lies below.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug;

/* Open what belongs to the object at `path`. -ENODATA: there is none, or one
 * of another build. Other -errno: the object cannot be read. */
int debug_open(const char *path, struct debug **out)
    __attribute__((warn_unused_result));
/* Is a part of it in a file that dwz made of several, which is not there? Then
 * entries lead nowhere, and what they seem to say is not so. *name: the file,
 * until debug_close(). */
bool debug_lacks_part(struct debug *d, const char **name);
/* Has it sections compressed in a way that libelf does not know? */
bool debug_is_zstd(const char *path);
void debug_close(struct debug *d);
/* Is it of the build with this id (hex; "": any)? */
bool debug_has_build_id(struct debug *d, const char *hex);

enum {
    DEBUG_PLACES = 6,
    DEBUG_CLONES = 4,
};
struct debug_place {
    char file[96]; /* basename */
    unsigned line; /* 0: unknown */
};
/* What the compiler made of a function beside the one at `vaddr`. */
struct debug_copies {
    const char *symbol; /* in: as in the symbol table */
    uint64_t vaddr;     /* in: its address, 0: it has none */
    bool is_known;      /* there is an entry for it */
    const char *file;   /* where it is defined, until debug_close(); or NULL */
    unsigned line;
    size_t inlined; /* calls that were replaced by its body */
    struct debug_place places[DEBUG_PLACES]; /* the first of them, each once */
    size_t place_count;
    size_t clones; /* out-of-line copies at other addresses */
    uint64_t clone_at[DEBUG_CLONES];
    char clone_name[DEBUG_CLONES][96]; /* "" where the symbols do not tell */
};
/*
 * Fill in `count` entries, in one pass over the debug information. 0;
 * -E2BIG: it is beyond what we are ready to read, what was found so far is
 * there; -EINVAL: damaged.
 */
int debug_find_copies(struct debug *d, struct debug_copies *at, size_t count)
    __attribute__((warn_unused_result));
/* "2 inlined copies, dag.c:77, dag.c:91 (DWARF); calls of its clone x.part.0";
 * "" where every call is seen. */
void debug_copies_text(const struct debug_copies *c, char *out,
                       size_t cap_bytes);
