/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that was started as `ld-linux-x86-64.so.2 PROGRAM`: the kernel
 * knows the loader alone by name.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* The executable's path into `path`. False: the process was started in the
 * ordinary way, or it is not to be told. [constructor] */
HIDDEN bool explicit_loader_program(char *path, size_t cap_bytes);
