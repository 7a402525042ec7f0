/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a program beside what its manifest names, and what leaves
 * this machine, as the settings are now: for `check`. docs/kept.md */
#pragma once
#include "manifest/manifest.h"
#include "tools/common/text/buf.h"
#include "tools/common/text/term.h"

/* "no values", "values, to URL", ...: behind "Leaves this machine: ". */
void kept_leaves(struct buf *out);
/* Command line, stderr and the like: kept, or withheld and why. */
void kept_print(const struct term *t, const struct manifest *m);
