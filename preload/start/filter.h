/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seccomp filter that was in force before the program was executed: what it
 * forbids may end the process, and nobody can ask it.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* May this process make the system calls of our start and our hooks? Sets
 * config.is_seccomp. Below a filter a child tries them first, which is gone and
 * waited for when this returns; if the filter ended it, nothing at all is done
 * here. A filter that looks at arguments, and one that ends a process for clone
 * or vfork itself, is not known by that. [in the constructor, one thread] */
HIDDEN bool filter_allows_us(void);
/* It does not: have say() called in another child, which the filter may end as
 * well; then nothing is said. [in the constructor, one thread] */
HIDDEN void filter_tell(void (*say)(void));
