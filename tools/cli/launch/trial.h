/* SPDX-License-Identifier: Apache-2.0 */
/* A small program traced for a trial, for `handspan doctor`. */
#pragma once
#include <stdint.h>
#include <stddef.h>

/*
 * This very binary runs `version` under `preload`, with `puts` of libc as its
 * handler, in a folder of its own that is gone afterwards, and a sidecar brings
 * the session in. The number of its calls that came into the store; -errno, and
 * a sentence for people in `why`.
 */
int64_t trial_run(const char *preload, char *why, size_t why_bytes)
    __attribute__((warn_unused_result));
