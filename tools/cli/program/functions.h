/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions of which objects a declaration names. */
#pragma once
#include "bind/find.h"
#include "tools/cli/program/objects.h"
#include "tools/common/text/buf.h"

struct function {
    const struct object *object;
    const char *name; /* points into the object */
    uint64_t vaddr;
    size_t rank; /* of its first name among all that were found, from 0 */
    /* for bindings.c */
    bool is_bound, has_times_only;
    struct buf said; /* what there is to say of it */
};
struct functions {
    struct function *at;
    size_t count, cap;
    size_t name_count; /* that were found, maybe several of one address */
};
/* One entry per address. 0 or -ENOMEM. */
int functions_find(const struct objects *objects,
                   const struct manifest_decl *decl, struct functions *out)
    __attribute__((warn_unused_result));
void functions_free(struct functions *f);
/* The objects as the search for functions sees them; number i is at[i]. */
struct bind_world functions_world(const struct objects *objects);
