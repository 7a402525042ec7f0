/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which return addresses Z may replace. Code that compilers made and that
 * everybody finds by its unwind tables calls as C does, and who walks it asks
 * those tables, which know our frames. Code that lies in no object (made at
 * run time), or has no unwind table in an object that has some (an embedded
 * virtual machine's own), may be walked by return addresses alone: a collector
 * that finds ours there dies, or computes something else.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* From now on callers are judged. [constructor] */
HIDDEN void callers_start(void);
