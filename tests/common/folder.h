/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of a test's own: in memory where the environment names a place
 * (tests/environment.cmake), else where temporary files go.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>

enum {
    TEST_FOLDER_MAX = 512
};

/* Make it, mode 0700; NULL and errno, or `path`, which holds its name. */
static inline char *test_folder_make(char path[TEST_FOLDER_MAX],
                                     const char *name)
{
    const char *place = getenv("TEST_MEMORY");
    if (!place)
        place = getenv("TMPDIR");
    snprintf(path, TEST_FOLDER_MAX, "%s/%s-XXXXXX", place ? place : "/tmp",
             name);
    return mkdtemp(path);
}
