/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a declaration of the manifest comes to in a program: the decisions of
 * the preload, made on the files with the same planner.
 */
#pragma once
#include "tools/cli/objects.h"
#include "tools/common/buf.h"

enum binding_status {
    BINDING_OK,
    BINDING_PART,  /* some of its functions, or not every call */
    BINDING_TIMES, /* bound, but without values */
    BINDING_LATER, /* its object is not there at the start */
    BINDING_NONE,
    BINDING_ELSEWHERE, /* for other programs */
    BINDING_ERROR,     /* the manifest has an error there */
    BINDING_STATUSES,
};
enum binding_way {
    BINDING_ENTRY = 1,
    BINDING_SLOTS = 2,
};
struct binding {
    const struct manifest_decl *decl;
    enum binding_status status;
    const char *name; /* as written: symbol, glob or identifier */
    size_t function_count, bound_count;
    const struct object *object; /* of the first function */
    uint64_t vaddr;
    unsigned ways; /* enum binding_way of all its functions */
    size_t frame_count, zero_copy_count;
    struct buf remark; /* what is not seen, and why; "" if nothing */
};

struct bindings;
/* `match_max`: more functions than that for one glob bind to nothing. NULL:
 * no memory. The objects must outlive it. */
struct bindings *bindings_new(const struct objects *objects,
                              const char *program, size_t match_max);
void bindings_free(struct bindings *b);
/* Decide on one declaration. The caller frees out->remark. */
void bindings_decide(struct bindings *b, const struct manifest_decl *decl,
                     struct binding *out);
