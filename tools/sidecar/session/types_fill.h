/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that was started with LD_PRELOAD alone has none of what its
 * manifest leaves to the debug information; it says so in its notes. Then
 * `handspan types --fill` is started, which reads it for the next run.
 */
#pragma once

struct session;

/* Once when the note is there and once when the session ends, if more objects
 * are known by then; never twice for the same. */
void types_fill_look(struct session *s);
