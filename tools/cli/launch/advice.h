/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says of its manifest. */
#pragma once
#include "tools/cli/screen/stats.h"

/* A line if one handler makes most of the spans and next to none of the time:
 * what it costs buys nothing. */
void advice_print(const struct term *term, const struct stats *s);
