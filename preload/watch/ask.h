/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that speak to us by include/handspan.h. */
#pragma once
#include "preload/call/record/runtime.h"

/* Find their notes, bind their empty functions; `only_new`: of objects that
 * were loaded since. Text open. [constructor, loader's lock] */
HIDDEN void ask_watch(bool only_new);
