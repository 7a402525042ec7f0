/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction decoder, Zydis, opened from beside the preload.
 */
#pragma once
#include "preload/runtime.h"
#include "shim/plan/plan.h"

/* Open it: [constructor only], dlopen may not be called from the loader's
 * notification. Once; false and a note if there is none. */
HIDDEN bool decoder_open(void);
/* NULL: there is none. */
HIDDEN const struct plan_decoder *decoder_get(void);
/* Memory for one plan at a time; NULL: none to be had. */
HIDDEN void *decoder_scratch(void);
