/* SPDX-License-Identifier: Apache-2.0 */
/* The dumper of the golden tests, see dump.c. */
#pragma once
#include "manifest/run/eval.h"

void dump_manifest(const struct manifest *m);
