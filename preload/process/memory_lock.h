/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that locks its memory does not lock the session with it.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Hear of mlockall(). [constructor] */
HIDDEN void memory_lock_watch(void);
