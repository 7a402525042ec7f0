/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the sidecar of the directory, if there is none.
 */
#pragma once
#include "preload/settings/config.h"

/* Not where the program could notice it (see the .c); then the session waits
 * until a sidecar comes. What was decided is noted. [constructor] */
HIDDEN void sidecar_start(void);
/* The absolute path of the store that this run names and whose sidecar it may
 * start; NULL: its session is for whichever sidecar has the directory. */
HIDDEN const char *sidecar_store(void);
