/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` says of a declaration, in one form before a run (bindings.c)
 * and after it (seen.c). */
#pragma once
#include "tools/common/text/buf.h"
#include <stdbool.h>

/* One more part, unless it was said already or enough was. */
void remark_add(struct buf *remark, const char *prefix, const char *text);
/* Is `symbol` one of several that the declaration means, and so to be named?
 * `written`: glob, symbol or identifier. Either may be NULL. */
bool remark_is_many(const char *written, const char *symbol);
