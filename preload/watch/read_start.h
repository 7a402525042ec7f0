/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading the program's memory (read.h) may rely on in this process.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Segments of the objects that are there. Before anything else is loaded by
 * us. [constructor] */
HIDDEN void read_start(void);
/* From a seccomp filter on there are no syscalls for a read. After the
 * handlers of the manifest are bound, text open. [constructor] */
HIDDEN void read_watch(void);
