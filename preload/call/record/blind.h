/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that may not look at the clock any more: seccomp's strict mode and
 * PR_SET_TSC make rdtsc fault, also that of the vDSO.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* From now on calls of this process are counted as lost and nothing else. Not
 * undone: other threads may be in calls that began under it. [signal-safe] */
HIDDEN void blind_start(void);
/* Instead of span_now() then. */
extern HIDDEN bool blind;
