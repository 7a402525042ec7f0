/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .symtab of an object by name, made when it is first asked for: a manifest of
 * thousands of names must not walk the table for each.
 */
#pragma once
#include "shim/plan/image/image.h"

struct object_names;

/* Nothing known yet; free with the other. NULL: no memory. */
struct object_names *object_names_new(void);
void object_names_free(struct object_names *names);
/* plan_image_each_in_file() for at least the symbols of that name, and of that
 * name, a dot and more. `names` NULL: for all. */
int object_names_each(struct object_names *names,
                      const struct plan_image *image, const char *name,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol,
                                  const char *file),
                      void *context);
