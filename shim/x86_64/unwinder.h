/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the unwinder that calls our personality. It is not linked:
 * the preload needs libc alone, and the program's unwinder may be private to
 * one of its objects.
 */
#pragma once
#include <stdint.h>
#include <unwind.h>

struct unwinder {
    uintptr_t (*get_gr)(struct _Unwind_Context *, int);
    uintptr_t (*get_ip)(struct _Unwind_Context *);
    void (*set_gr)(struct _Unwind_Context *, int, uintptr_t);
    void (*set_ip)(struct _Unwind_Context *, uintptr_t);
    uintptr_t resume;
};

/* Fill `out` from the object that `code` lies in. 0, or -ENOENT: that object
 * does not export them (a stripped static libgcc). [any thread] */
__attribute__((visibility("hidden"))) int unwinder_find(uintptr_t code,
                                                        struct unwinder *out);
