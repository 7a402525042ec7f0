/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated program of place_gen.py calls; see place_test.c. */
#pragma once
#include "manifest/run/eval.h"

#include <string.h>

extern const char place_manifest[];
extern void *probe_target;
/* Keeps the registers, calls probe_target with the same, keeps the results. */
void probe(void);

const struct manifest_decl *decl(uint32_t index);
void leave(void);
void check(const struct manifest_decl *d, const char *key, uint64_t bits,
           int line);
void check_wide(const struct manifest_decl *d, const char *key, long double v,
                int line);
void check_size(const char *name, uint64_t size, uint64_t align);
void place_run(void);
