/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of Rust functions as people read them: no hashes of crates and
 * instances, generic arguments as `::<u8>`. Both manglings: legacy (_ZN...17h
 * and a hash) and v0 (_R, RFC 2603).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The name into out, NUL-terminated. False: it is no Rust name, is too long,
 * or has a part that this does not read (constants, dyn, closures' types). */
bool rust_name(const char *mangled, char *out, size_t cap_bytes);
