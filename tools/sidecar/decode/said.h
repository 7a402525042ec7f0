/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime of a language says on stderr of the failure that ends its
 * program. `text`: the last bytes of it, or NULL. `out` is left as it is where
 * nothing of the kind was said.
 */
#pragma once
#include <stddef.h>

/* The message of a panic of Rust's. */
void said_panic(const char *text, char *out, size_t cap_bytes);
/* Why it aborts: "uncaught std::out_of_range: no such key", "panic: no such
 * key" (of libstdc++, libc++, Rust). */
void said_abort(const char *text, char *out, size_t cap_bytes);
