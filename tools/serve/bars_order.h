/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "tools/serve/bars.h"

/* Lanes by process and first call, bars (in any order so far) by lane, row and
 * start; sets rows and groups. 0 or -ENOMEM. */
int bars_order(struct bars *b) __attribute__((warn_unused_result));
