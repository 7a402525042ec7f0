/* SPDX-License-Identifier: Apache-2.0 */
/* Between modules.c and describe.c. */
#pragma once
#include "tools/symbolize/modules.h"
#include "tools/symbolize/object_file.h"
#include "tools/symbolize/values.h"

struct object {
    uint64_t bias, low, end;
    char *path;
    uint8_t build_id[20];
    uint32_t build_id_bytes;
    struct modules *all;
    struct object_file *file; /* NULL: nobody asked for an address in it */
};
struct modules {
    struct object *list;
    uint32_t count;
    const struct search *search; /* NULL: only where it was */
    struct values *values;       /* NULL: none are asked for */
};

/* The object at a run-time address; its file is there. NULL: none. */
struct object *modules_at(struct modules *modules, uint64_t address);
