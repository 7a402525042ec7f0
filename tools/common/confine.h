/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process of ours gives up for good once it is set up, so that a fault
 * in it is worth little: no new privileges, no core, nobody looks into it, and
 * a seccomp filter that refuses (EPERM) what it does not need.
 * docs/threat-model.md lists who needs what. Where the kernel has no filters,
 * or another one forbids them, the rest holds. One thread must be all there is.
 */
#pragma once

enum confine_kind {
    /* The sidecar itself: starts children, reads other processes' memory and
     * stops them (`overdue(.., stop)`), serves metrics. Refused: what changes
     * the machine, other namespaces, foreign credentials, rare interfaces. */
    CONFINE_SIDECAR,
    /* Uploads and fetches: as above, and no exec, no other process. */
    CONFINE_NETWORK,
    /* Reads ELF and DWARF of others, answers through a descriptor that is
     * open: no socket, no child, no writing but to what is open, no new code.
     */
    CONFINE_READER,
    /* The same, and writes files below one directory. */
    CONFINE_FILLER,
};

/* No core and no other process of this user that reads our memory or
 * environment. Children inherit it until they exec. */
void confine_privately(void);
/* `dir`: of CONFINE_FILLER, where it may write (needs Landlock to hold); else
 * NULL. 0, or -errno of the filter: the rest was done. */
int confine(enum confine_kind kind, const char *dir);
