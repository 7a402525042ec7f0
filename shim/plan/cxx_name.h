/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a demangled C++ name the one that a manifest means? Shared by the preload
 * and `check`, so that they agree.
 */
#pragma once
#include <stdbool.h>

/* Spaces aside, std::string for what it stands for, without ABI tags. */
bool name_is_same(const char *name, const char *wanted);
/* The same, or without the type that an instance of a template returns. */
bool name_is_meant(const char *name, const char *wanted);
/* May this stand in an identifier? */
bool name_has(char c);
