/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store that a run named: its path stands in the session's header
 * (store_string) and a key of it in the name of the session's file,
 * "session-PID-START-RANDOM-sKEY.lane", so that a sidecar knows without
 * opening the file whether it is its own. A sidecar that serves a named store
 * holds a POSIX write lock on one byte of DIR/sidecar.lock, which one the key
 * says. Sessions that name none are for the sidecar that has the directory.
 */
#pragma once
#include <stdint.h>
#include <string.h>

enum {
    LANE_STORE_KEY_DIGITS = 16
};

/* Of an absolute path; "//" and "/./" are "/". Never 0. */
static inline uint64_t lane_store_key(const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *path; path++) {
        if (path[0] == '/' && path[1] == '/')
            continue;
        if (path[0] == '/' && path[1] == '.' && path[2] == '/') {
            path++;
            continue;
        }
        hash = (hash ^ (uint8_t)*path) * UINT64_C(0x100000001b3);
    }
    return hash ? hash : 1;
}

/* The key in a session's file name; 0: it names no store. */
static inline uint64_t lane_store_key_of(const char *name)
{
    static const char end[] = ".lane";
    size_t len = strlen(name), tail = LANE_STORE_KEY_DIGITS + sizeof(end) - 1;
    uint64_t key = 0;
    if (len < tail + 2 || strcmp(name + len - sizeof(end) + 1, end) != 0 ||
        name[len - tail - 2] != '-' || name[len - tail - 1] != 's')
        return 0;
    for (const char *at = name + len - tail; *at != '.'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit > 9)
            digit = (unsigned)(*at - 'a') + 10;
        if (digit > 15 || (digit > 9 && *at < 'a'))
            return 0;
        key = key << 4 | digit;
    }
    return key;
}

/* The byte that is locked. */
static inline int64_t lane_store_lock_at(uint64_t key)
{
    return (int64_t)(key >> 2 | 1);
}
