/* SPDX-License-Identifier: Apache-2.0 */
/*
 * News of a session directory, for who waits for something there: who reaped a
 * process renames its word into it, the sidecar removes what it stored. A
 * watch only shortens a wait that would end by itself: without one (no inotify,
 * too many watches) the same happens a moment later.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Names that were renamed into a directory, or removed from it. */
enum {
    NOTICE_RENAMED = 1,
    NOTICE_REMOVED = 2
};
/* A descriptor for poll(), close-on-exec, not blocking; -1: there is none. */
int notice_open(const char *dir, int kinds);
/* Take what is there by now, without waiting. True if a name begins with one of
 * the prefixes (the last is NULL), or if so much came that some was lost. */
bool notice_take(int fd, const char *const *prefixes);
/* Wait for `ms` at most until it is so; fd may be -1. */
void notice_wait(int fd, const char *const *prefixes, int64_t ms);
