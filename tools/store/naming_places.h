/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places in objects that frames without a name stand for, each once: an
 * object has those of its own, a tree finds one again by what a frame says.
 * Both functions that find one are a naming_find_fn, the context is these.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "tools/store/naming.h"

struct cJSON;

/* All zero: none yet. */
struct naming_places {
    struct naming_object *object;
    size_t objects;
    void *tree; /* tsearch's, of struct naming_place, by their keys */
    bool is_out_of_memory; /* some are missing */
};

/* The place of a frame that says its object, build_id and offset; owned by
 * `context`. NULL: none. */
struct naming_place *naming_places_find(void *context,
                                        const struct cJSON *frame);
/* The same; a new one is made if there is none. NULL for want of memory, too:
 * is_out_of_memory says so. */
struct naming_place *naming_places_find_or_add(void *context,
                                               const struct cJSON *frame);
/* All of them, their objects, and what they stand for. */
void naming_places_free(struct naming_places *places);
