/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object looks up by name: the texts that its code hands to dlsym and
 * its like, straight or through functions of its own. The code is looked at as
 * bytes: what is found may be another argument, so ask the plugins for it.
 */
#pragma once
#include "shim/plan/image/image.h"

enum {
    LOOKUPS_MAX = 32
};
/* Names of functions that look up a name. Those of an object's own that only
 * hand on a name are added to it, for the objects that import them. */
struct lookup_names {
    const char *at[LOOKUPS_MAX];
    size_t count;
};
void lookup_names_init(struct lookup_names *names);

/* `each` of every identifier handed over. True: it looks up names at all; some
 * may come from a table or from elsewhere. */
bool suggest_lookups(const struct plan_image *image, struct lookup_names *names,
                     void (*each)(void *context, const char *text),
                     void *context);

/* The identifier that stands at this address, as a text that ends. NULL. */
const char *suggest_identifier_at(const struct plan_image *image,
                                  uint64_t vaddr);
