/* SPDX-License-Identifier: Apache-2.0 */
/* Functions as the debug information declares them, in C that a manifest takes
 * as it stands: typedefs resolved, parameters as the machine passes them. */
#pragma once
#include "tools/dwarf/debug.h"

struct debug_function {
    uint64_t vaddr;  /* in */
    bool is_known;   /* there is an entry */
    char *prototype; /* "int %s(struct job *job)"; NULL: a part of it cannot
                        be written in C */
    char *inputs;    /* names of parameters that are text, ", " between */
    char *secrets;   /* and of those that sound like secrets */
    char *file;      /* where it is defined, "dag.c" */
    unsigned line;
    bool is_library; /* its source is not the program's: a header of the
                        system */
    bool is_destructor;
};
/* Fill in `count` entries; texts are allocated. 0 or -errno. */
int debug_find_functions(struct debug *d, struct debug_function *at,
                         size_t count) __attribute__((warn_unused_result));
void debug_function_free(struct debug_function *f);
