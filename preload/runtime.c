/* SPDX-License-Identifier: Apache-2.0 */
/* The one instance of what the parts of the preload share: see runtime.h. */
#include "preload/runtime.h"

struct runtime runtime;
