/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other functions at the address of one: a linker that folds equal code
 * (--icf) makes one of several, and whoever calls any of them is seen.
 */
#pragma once
#include "shim/plan/image/image.h"

/*
 * "parse_row has its address, too: its calls are told as well" into out,
 * terminated; "" if there is no other. Of an exported function only exported
 * ones are. Names that are only another way to write this one (versions,
 * underscores before it, C1 and C2 of a constructor, suffixes) are none.
 * Returns its length.
 */
size_t bind_twins_text(const struct plan_image *image, uint64_t vaddr,
                       const char *name, char *out, size_t cap_bytes);
