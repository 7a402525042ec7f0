/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that speak to us by include/handspan.h. */
#pragma once
#include "preload/runtime.h"

/* Find their notes, bind their empty functions. Text open. [constructor] */
HIDDEN void ask_watch(void);
