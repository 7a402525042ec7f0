/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are in every program: what fails in them was asked for by
 * somebody else, so they make no group of errors and are not to blame. */
#pragma once
#include <stdbool.h>

/* Built with a sanitizer whose shadow memory is terabytes of addresses: limits
 * of address space cannot be kept. */
#ifdef __SANITIZE_ADDRESS__
#define SYSTEM_IS_SANITIZED 1
#else
#define SYSTEM_IS_SANITIZED 0
#endif

/* `path`: of an object; only its last part counts. */
bool system_has_object(const char *path);
/* The same of what such a library leaves in the program itself: headers'
 * templates, Rust's standard library. Each may be NULL. */
bool system_has_source(const char *file, const char *function);
