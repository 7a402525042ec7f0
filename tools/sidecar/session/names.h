/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of stacks: the copy that a STACK frame holds, to the worker that
 * unwinds it (tools/symbolize), and what it answers into the store, under the
 * stack's hash. The lane whose stack is being named waits; all others go on.
 */
#pragma once
#include "tools/sidecar/session/session.h"

/* Name the stack of a STACK frame's payload, if its hash has no names yet. 0 or
 * -errno of the store; -EINPROGRESS: it is being asked for, or another one is:
 * come again with it. */
int names_meanwhile(struct session *session, uint32_t process,
                    const void *payload, uint32_t len_bytes)
    __attribute__((warn_unused_result));
/* The same, and wait for it. */
int names_now(struct session *session, uint32_t process, const void *payload,
              uint32_t len_bytes) __attribute__((warn_unused_result));
/* Sleep, but not when a lane that waits can go on, or `news` (-1: none) can be
 * read. */
void names_pause(int64_t ns, int news);
/* The frames of a stack as JSON, malloc'ed; NULL: there are none. *ended: why
 * there is none above the last one, until the next call; NULL: it is whole. */
char *names_of(struct session *session, uint64_t hash, const char **ended);
