/* SPDX-License-Identifier: Apache-2.0 */
/* C++ functions by the declaration that was pasted: the qualified name, and
 * what of the parameters tells overloads apart. */
#pragma once
#include "tools/cli/functions.h"

/* At most one function; none where several fit equally well. 0 or -ENOMEM. */
int types_paste_find(const struct objects *objects,
                     const struct manifest_want *want, struct functions *out)
    __attribute__((warn_unused_result));
