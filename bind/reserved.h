/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of libc that the runtime watches for the sake of the tree: where
 * processes and threads come from. They can be no handlers, because a function
 * has one site. All others of libc that it looks at give way to a handler.
 */
#pragma once
#include "bind/scope.h"

/* Is the function at `vaddr` of this object one of them, by any of its names?
 */
bool bind_is_reserved(const struct bind_object *object, uint64_t vaddr);
/* What is said of one. */
extern const char bind_reserved_text[];
