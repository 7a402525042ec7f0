/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mangled names of an object by the identifiers in them, made when they are
 * first asked for: a manifest of many readable names must not read all symbols
 * for each.
 */
#pragma once
#include "shim/plan/image/image.h"

struct object_parts;

/* Nothing known yet; free with the other. NULL: no memory. */
struct object_parts *object_parts_new(void);
void object_parts_free(struct object_parts *parts);
/* plan_image_each_function() for at least those functions whose mangled name
 * has the identifier `part` (NULL: for all mangled names), in its order.
 * `parts` NULL: the table is read. */
int object_parts_each(struct object_parts *parts,
                      const struct plan_image *image, const char *part,
                      size_t len,
                      int (*each)(void *context,
                                  const struct plan_symbol *symbol),
                      void *context);
