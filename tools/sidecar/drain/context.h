/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose work a span is, out of its frames: how long its item waited, which
 * items a batch consumed, why nobody knows it.
 */
#pragma once
#include "tools/sidecar/session/session.h"

/* ns between carry and adopt; STORE_NULL: it is no item's first span. */
int64_t context_queue_ns(const struct session *s, const struct pending *p,
                         uint64_t t0_ticks, uint64_t capture);
/* Why its parent is not known; NULL: it is. */
const char *context_orphan(const struct pending *p);
/* JSON array of the spans that handed over what it consumed, and of `caller`
 * (a reference in context 0; 0: none). malloc'ed; NULL: neither, or -ENOMEM in
 * `*rc`. */
char *context_links(struct session *s, const struct pending *p, uint64_t caller,
                    int *rc);
