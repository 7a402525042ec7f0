/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fatal signals: noting which one ended the process, and where.
 */
#pragma once
#include "preload/runtime.h"

/* Install handlers where the disposition is SIG_DFL. After the handlers of
 * the manifest are bound, text open. [constructor] */
HIDDEN void fatal_watch(void);
/* Ours away again, where they still stand. [signal-safe] */
HIDDEN void fatal_retire(void);
