/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a thread of the program fills at the first touch (userfaultfd:
 * live migration, snapshots, collectors). To read a text there would be such a
 * touch: the program would count it, and wait for ever if it is the thread that
 * fills that called the handler. It is heard by ioctl() where the memory is
 * registered, whichever way the descriptor came. Not heard: an ioctl by an
 * instruction of the program's own.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* With the hooks of read_start.c, text open. [constructor] */
HIDDEN void served_watch(void);
/* What ioctl() is about to do. [any thread, signal-safe] */
HIDDEN void served_ioctl(uint64_t request, uint64_t argument);
