/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word in a lane by which the kernel tells that its thread is gone.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Let this thread hold the lane's robust mutex for life. Nothing is done for a
 * thread that the kernel knows no list of (made without libc): its lane is
 * taken back with its process. [own thread] */
HIDDEN void robust_hold(struct lane *lane);
