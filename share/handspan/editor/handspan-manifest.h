/* SPDX-License-Identifier: Apache-2.0 */
/* For editors: the names that a manifest knows without saying. Flags that go
 * with it stand in compile_flags.txt beside it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
