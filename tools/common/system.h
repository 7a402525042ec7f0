/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are in every program: what fails in them was asked for by
 * somebody else, so they make no group of errors and are not to blame. */
#pragma once
#include <stdbool.h>

/* `path`: of an object; only its last part counts. */
bool system_has_object(const char *path);
