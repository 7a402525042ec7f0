/* SPDX-License-Identifier: Apache-2.0 */
/* C++ functions by the declaration that was pasted: the qualified name, and
 * what of the parameters tells overloads apart. */
#pragma once
#include "tools/cli/program/functions.h"

/* At most one function, of a constructor or destructor all its variants; none
 * where several fit equally well. `readable`: its name as a demangler tells it,
 * the caller's to free; NULL: none was found. 0 or -ENOMEM. */
int types_paste_find(const struct objects *objects,
                     const struct manifest_want *want, struct functions *out,
                     char **readable) __attribute__((warn_unused_result));
