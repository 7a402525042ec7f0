/* SPDX-License-Identifier: Apache-2.0 */
/* See system.h. By the beginning of the file's name: versions follow. */
#include "tools/common/system.h"
#include <string.h>

bool system_has_object(const char *path)
{
    static const char *const names[] = {
        "libc.so",    "libc-",   "ld-linux",   "libstdc++.so", "libgcc_s.so",
        "libpthread", "libm.so", "linux-vdso", "libc++",       "libhandspan.",
    };
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(base, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

bool system_has_source(const char *file, const char *function)
{
    static const char *const files[] = {
        "library/std/src/", "library/core/src/", "library/alloc/src/",
        "library/panic_abort/src/", "library/panic_unwind/src/"};
    static const char *const functions[] = {"std::panicking::",
                                            "core::panicking::",
                                            "core::result::unwrap_failed",
                                            "core::option::",
                                            "std::sys_common::backtrace",
                                            "std::rt::",
                                            "panic_abort::",
                                            "__rustc::",
                                            "rust_panic",
                                            "rust_begin_unwind",
                                            "__rust_start_panic"};
    if (file && strncmp(file, "/usr/include/", 13) == 0)
        return true;
    for (size_t i = 0; file && i < sizeof files / sizeof *files; i++)
        if (strstr(file, files[i]))
            return true;
    for (size_t i = 0; function && i < sizeof functions / sizeof *functions;
         i++)
        if (strncmp(function, functions[i], strlen(functions[i])) == 0)
            return true;
    return false;
}
