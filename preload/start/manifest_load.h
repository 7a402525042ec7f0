/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the manifest that HANDSPAN_MANIFEST names, with what it includes.
 */
#pragma once
#include "preload/settings/config.h"

/* NULL: no manifest is named, or it cannot be used; what was wrong with it is
 * noted. `*error_count` counts errors of any kind. The result lives as long
 * as the process. [constructor] */
HIDDEN const struct manifest *manifest_load(uint32_t *error_count);
/* The same with what the debug information was found to say of it before, if
 * it leaves anything to that; the directory must be open. [constructor] */
HIDDEN const struct manifest *
manifest_add_types(const struct manifest *manifest, uint32_t *error_count);
/* Does any text of it say "secret"? For one with errors: the declaration that
 * does may be the faulty one. [constructor] */
HIDDEN bool manifest_mentions_secret(void);
/* Is this program one of those that the manifest is for? Chooses between its
 * name as it was started and that of its executable. */
HIDDEN bool manifest_is_for_us(const struct manifest *manifest);
/* Give back the memory of what was loaded: nothing is traced. */
HIDDEN void manifest_forget(void);
