/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mangled names to what people read, by a demangler of our own
 * (demangle/demangle.h): the program's may not be relocated yet.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Map it, once; nothing else is to be done later, in whatever root and as
 * whoever the process is by then. False and a note: it is not there.
 * [constructor] */
HIDDEN bool demangler_open(void);
HIDDEN bool demangler_is_open(void);
/* Its stack, for a round. False: no memory. */
HIDDEN bool demangler_begin(void);
HIDDEN void demangler_end(void);
/* Between the two: the name into out, terminated; false: it is none of C++, or
 * does not fit. */
HIDDEN bool demangler_read(const char *mangled, char *out, size_t cap_bytes);
