/* SPDX-License-Identifier: Apache-2.0 */
/* What in a program is worth tracing: candidates, with what they are. */
#pragma once
#include "tools/cli/program/objects.h"
#include "tools/dwarf/prototype.h"

enum suggest_kind {
    SUGGEST_OWN,      /* a function of the program itself */
    SUGGEST_EXPORT,   /* of a library that the program is made around */
    SUGGEST_IMPORT,   /* of a library, called by the program */
    SUGGEST_BUILTIN,  /* in one of so many that they are its vocabulary */
    SUGGEST_TABLE,    /* in an array of function pointers */
    SUGGEST_CALLBACK, /* handed to a registration function */
    SUGGEST_ENTRY,    /* that the program looks up in its plugins */
    SUGGEST_KINDS,
};
struct candidate {
    const struct object *object; /* NULL: a plugin, see `plugins` */
    const char *name;            /* symbol; NULL: it has none */
    uint64_t vaddr;              /* of a plugin: which folder */
    enum suggest_kind kind;
    char *note;    /* "handed to plugin_register_read at 0x1234" */
    char *plugins; /* glob of the objects of an entry point */
    uint64_t size_bytes;
    uint32_t callers; /* calls of it in the executable's code: about */
    int score;
    bool is_left_out;
    struct debug_function debug;
};
struct suggestions {
    struct candidate *at;
    size_t count, cap;
    uint32_t *slots; /* hash of `at` while it grows: index + 1; 2 * cap */
    bool failed;     /* no memory: the list is not whole */
};

/* Add one, unless the same function is there already; then its kind and note
 * become these if they say more. */
struct candidate *suggest_add(struct suggestions *s,
                              const struct object *object, const char *name,
                              uint64_t vaddr, enum suggest_kind kind,
                              const char *note);
/* The candidate at this address of an object, NULL: it is none. */
struct candidate *suggest_find(const struct suggestions *s,
                               const struct object *object, uint64_t vaddr);
/* Fill in `callers` (suggest_calls.c). The code is looked at as bytes: what is
 * found is for an order alone. */
void suggest_count_calls(const struct suggestions *s,
                         const struct objects *objects);
/* Tables of pointers and callbacks of the executable (suggest_code.c). */
void suggest_from_code(struct suggestions *s, const struct objects *objects);
/* Names that the program looks up in the objects of its plugin folders
 * (suggest_plugins.c). */
void suggest_plugins(struct suggestions *s, const struct objects *objects);

/* Words of a name (suggest_words.c): more than 0 is work, less a helper. */
int suggest_score_name(const char *name);
/* libc, libstdc++, GLib: plumbing of any program. */
bool suggest_is_plumbing(const struct object *object);
