/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the store with names in them; between naming.c and
 * naming_rewrite.c. */
#pragma once
#include <stdint.h>
#include "tools/common/fingerprint.h"
#include "tools/store/naming.h"

/* Of a place; NULL: none, or it is not to be known. Collecting, it makes one.
 */
typedef struct naming_place *naming_find_fn(void *context,
                                            const struct cJSON *frame);

/* Ask `find` for each frame without a name, of an array, or of an error. */
void naming_each_of_array(const char *frames, naming_find_fn *find,
                          void *context);
void naming_each_of_error(const char *error, naming_find_fn *find,
                          void *context);
/* The text with what the places know, malloc'ed; NULL: nothing changes. *named:
 * frames that have more than before are added. */
char *naming_array(const char *frames, naming_find_fn *find, void *context,
                   int64_t *named);
/* The same of an error, and its fingerprint. */
char *naming_error(const char *error, const char *handler, naming_find_fn *find,
                   void *context, int64_t *named,
                   char fingerprint[FINGERPRINT_BYTES]);
