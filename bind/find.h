/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions a declaration means, in the objects of a process: the one
 * search that the preload and `handspan check` share. What differs between
 * them (mapped objects or files, who demangles, what an ifunc chose) is behind
 * struct bind_world.
 *
 * Exported functions of every object in scope come first. Only where there is
 * none are static ones looked for, in .symtab (which is read from files): of a
 * declaration without object() in one object after the other, until one has
 * it. A glob means static functions as well, but of the executable and of
 * objects that are named alone. A cold half is no function of its own.
 */
#pragma once
#include "bind/scope.h"

/* As plan_image_each_function() and plan_image_each_in_file() call it. */
typedef int bind_symbol_fn(void *context, const struct plan_symbol *symbol);
typedef int bind_file_fn(void *context, const struct plan_symbol *symbol,
                         const char *file);

struct bind_world {
    void *context;
    uint32_t count; /* of objects */
    /* The object; false: it is not to be looked at. */
    bool (*object)(void *context, uint32_t index, struct bind_object *out);
    /* Have its image know the full symbols, of its file or its debug file. */
    void (*add_symtab)(void *context, uint32_t index);
    /* plan_image_each_in_file(), for at least the symbols of that name and of
     * that name, a dot and more. */
    int (*each_named)(void *context, uint32_t index, const char *name,
                      bind_file_fn *each, void *with);
    /* Every function that has this readable name (name_is_meant()), or whose
     * readable name matches this glob (bind_match_readable()). */
    int (*each_readable)(void *context, uint32_t index, const char *name,
                         bind_symbol_fn *each, void *with);
    int (*each_matching)(void *context, uint32_t index, const char *glob,
                         bind_symbol_fn *each, void *with);
    /* Where calls of an ifunc go; 0: not known. NULL: never is. */
    uint64_t (*ifunc_target)(void *context, uint32_t index,
                             const struct plan_symbol *symbol);
};

/* A function: number of its object, a name that points into the object or its
 * file, its address there. Negative stops. */
typedef int bind_found_fn(void *context, uint32_t index, const char *name,
                          uint64_t vaddr);

/* Does it cover object number `index`? */
bool bind_covers(const struct bind_world *world,
                 const struct manifest_decl *decl, uint32_t index,
                 struct bind_object *out);
/*
 * Call `each` for every function that `decl` names; for one with several names
 * that are meant, several times. Returns how often, or what `each` returned if
 * that was negative.
 */
int bind_find(const struct bind_world *world, const struct manifest_decl *decl,
              bind_found_fn *each, void *context)
    __attribute__((warn_unused_result));
