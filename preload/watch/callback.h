/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callback(pointer, type): the function behind a pointer that is handed over
 * becomes a site of its own, with the rules of the typedef, when it is first
 * seen.
 */
#pragma once
#include "preload/objects/modules.h"

/* From now on pointers are looked at, if any are declared. Before the first
 * round of binding. [constructor] */
HIDDEN void callback_start(const struct manifest *manifest);
/* What was seen in an object that is gone may come again. [bind_lock held] */
HIDDEN void callback_forget(const struct module *module);
