/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a declaration of the manifest comes to in a program: the decisions of
 * the preload, made on the files with the same planner.
 */
#pragma once
#include "tools/cli/program/functions.h"
#include "tools/common/text/buf.h"

enum binding_status {
    BINDING_OK,
    BINDING_PART,  /* some of its functions, or not every call */
    BINDING_TIMES, /* bound, but without values */
    BINDING_LATER, /* its object is not there at the start */
    BINDING_NONE,
    BINDING_TWICE,     /* an earlier declaration has its functions */
    BINDING_ELSEWHERE, /* for other programs */
    BINDING_ERROR,     /* the manifest has an error there */
    BINDING_STATUSES,
};
enum binding_way {
    BINDING_ENTRY = 1,
    BINDING_SLOTS = 2,
    BINDING_CHOSEN = 4, /* what an ifunc's resolver chooses */
};
struct binding {
    const struct manifest_decl *decl;
    enum binding_status status;
    const char *name; /* as written: symbol, glob or identifier */
    struct functions functions;
    size_t function_count, bound_count, twice_count;
    const struct object *object; /* of the first function that is bound */
    uint64_t vaddr;
    unsigned ways; /* enum binding_way of all its functions */
    size_t frame_count, zero_copy_count;
    struct buf remark; /* what is not seen, and why; "" if nothing */
    const char *hint;  /* for who writes a manifest; NULL: none */
};

struct bindings;
/* `program`: the name that counts for program(); NULL: any does. `match_max`:
 * more functions than that for one glob bind to nothing. NULL: no memory. The
 * objects must outlive it. */
struct bindings *bindings_new(const struct objects *objects,
                              const char *program, size_t match_max);
void bindings_free(struct bindings *b);
/* Decide on one declaration, in the order of the manifest. */
void bindings_decide(struct bindings *b, const struct manifest_decl *decl,
                     struct binding *out);
void binding_free(struct binding *b);
/* One more part of the remark. */
void binding_remark(struct binding *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * What the debug information of the objects adds to `count` decisions: copies
 * of a function that the compiler inlined, clones that take calls of their
 * own. Objects without any are listed in `without` ("a.so, b.so"), as far as
 * a function in them could have been inlined; others that could not be read
 * whole get a remark.
 */
void coverage_add(const struct objects *objects, struct binding *bindings,
                  size_t count, struct buf *without);
