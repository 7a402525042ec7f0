/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hearing of objects that are loaded later.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Have the loader's notification call us; a note if that cannot be done.
 * Between shim_text_open() and shim_text_close(). [constructor] */
HIDDEN void loader_watch(void);
