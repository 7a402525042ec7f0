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
