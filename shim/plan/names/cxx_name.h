/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a demangled C++ name the one that a manifest means? Shared by the preload
 * and `check`, so that they agree.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Spaces aside, std::string for what it stands for, without ABI tags. */
bool name_is_same(const char *name, const char *wanted);
/* The same, or without the type that an instance of a template returns. */
bool name_is_meant(const char *name, const char *wanted);
/* The spelling that is compared, from `name` up to `end`, terminated: its
 * length, or cap_bytes where it does not fit. */
size_t name_spell(const char *name, const char *end, char *out,
                  size_t cap_bytes);
/* The parenthesis of its parameters, the last ones: those of a function that it
 * stands in are none. The end of the name where it has none. */
const char *name_parameters(const char *name);
/* Behind that type; `name` itself where there is none. */
const char *name_skip_return_type(const char *name);
/* Equal for names that are the same. */
uint64_t name_hash(const char *name);
/*
 * The identifier that stands in the mangled name of what is meant by
 * "ns::Loader::load(int)": its bytes, not terminated; NULL: there is none that
 * must stand there, any mangled name may be it.
 */
const char *name_part(const char *wanted, size_t *len);
/* Has this identifier a letter of its own in mangled names ("Ss"), or is it no
 * name at all? */
bool name_is_abbreviated(const char *part, size_t len);
/* Does a mangled name have an identifier for which `is_one` is true? Tells
 * some that are none, never misses one. */
bool name_any_part(const char *mangled,
                   bool (*is_one)(void *context, const char *part, size_t len),
                   void *context);
