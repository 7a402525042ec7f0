/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ names as people read them, in the traced process. A library of its own
 * (libhandspan-demangle.so) around libiberty's demangler, which is the one of
 * libstdc++ and of nm -C: nothing of the program's is run to decide what is
 * traced. It is mapped only where a manifest has such names, calls nobody, and
 * needs no memory but a stack.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    DEMANGLE_STACK_BYTES = 4 << 20 /* touched as far as a name is deep */
};
#define DEMANGLE_FUNCTION "handspan_demangle"
/*
 * The name into out (terminated); false: it is none, or does not fit. Runs on
 * the given stack, whose end is a multiple of 16: the thread's own may be of
 * 16 KiB. For one thread at a time on one stack.
 */
typedef bool demangle_fn(const char *mangled, char *out, size_t cap_bytes,
                         void *stack_end);
demangle_fn handspan_demangle;
