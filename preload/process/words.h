/* SPDX-License-Identifier: Apache-2.0 */
/* What this process knows of the ends of others: struct lane_word. */
#pragma once
#include "preload/call/record/runtime.h"

/* Listen at wait4(), waitid() and kill(). [constructor] */
HIDDEN void words_watch(void);
