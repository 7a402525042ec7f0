/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction decoder, Zydis, loaded from beside the preload.
 */
#pragma once
#include "preload/call/record/runtime.h"
#include "shim/plan/plan.h"

/* Load it, once. False and a note if there
 * is none. [constructor] */
HIDDEN bool decoder_open(void);
/* NULL: there is none. */
HIDDEN const struct plan_decoder *decoder_get(void);
/* Will there be one? It is made ready to be called by the first who asks for
 * it. */
HIDDEN bool decoder_is_open(void);
/* Memory for one plan at a time; NULL: none to be had. */
HIDDEN void *decoder_scratch(void);
