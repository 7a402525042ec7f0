/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From declarations to sites: find each function that the manifest names,
 * decide how calls of it are seen and by which trampoline, and change text or
 * slots. In the constructor for the objects that are there, and under the
 * loader's lock for those that come later.
 */
#pragma once
#include "preload/objects/modules.h"

/* What binding needs, also that of hooks. [constructor] */
HIDDEN void bind_prepare(void);
/* Everything that is loaded. [constructor] Also says in the session what could
 * not be bound, and why. */
HIDDEN void bind_start(void);
/* What was loaded since; forget what was unloaded. Not `may_bind`: only take
 * note of it, never to be bound later. [loader's lock held] */
HIDDEN void bind_loaded(bool may_bind);
