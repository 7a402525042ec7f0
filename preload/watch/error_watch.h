/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of libc and of the C++ runtimes that tell of a failure: sites
 * of ours, bound at the start and for objects that come later.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* After the handlers are bound, text open. [constructor] */
HIDDEN void error_watch_start(void);
/* Objects came or went. Not `may_bind`: text stays as it is. [loader's lock] */
HIDDEN void error_watch_loaded(bool may_bind);
