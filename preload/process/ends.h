/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How this process ends, as far as it can say so itself.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* After the handlers are bound, text open. [constructor] */
HIDDEN void ends_watch(void);
