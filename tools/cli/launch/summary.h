/* SPDX-License-Identifier: Apache-2.0 */
/* The lines at the end of `handspan run`. */
#pragma once
#include <stdio.h>

/* The trace with this id (hex) out of `store`, on `out`. Silent when it cannot
 * be read. */
void summary_print(const char *store, const char *id, FILE *out);
/* A line on `out` if none of the handlers that its manifest names has been
 * called, or if some are not bound: how many, which, and where that is told. */
void summary_nothing(const char *store, const char *id, FILE *out);
