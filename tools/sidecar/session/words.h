/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What traced processes said of others (struct lane_word), of all sessions:
 * the parent's session is mostly not the child's. Kept in memory, the latest
 * some ten thousand.
 */
#pragma once
#include "tools/sidecar/session/session.h"

/* Take what is new in this session. 0 or -errno. */
int words_read(struct session *s) __attribute__((warn_unused_result));
/* How did this process, which is gone, end, by the word of who waited for it?
 * Sets its status. */
void words_ask(const struct session *s, struct session_process *p);
/* Was the signal that ended it one that a process of its own program had sent
 * to it? */
bool words_is_sent(const struct session *s, const struct session_process *p);
