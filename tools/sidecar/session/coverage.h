/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls of a bound handler cannot be seen because the compiler inlined
 * them: told by the debug information of its object, stored with its site.
 * Debug information is large and was made elsewhere, so it is read in a child
 * of the sidecar with limits on time and memory; a session waits for it at its
 * end, but not for ever.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct session;
struct coverage;

/* Start what there is to look up, take what is done. 0 or -errno of the
 * store. */
int coverage_look(struct session *s, int64_t now_ns)
    __attribute__((warn_unused_result));
/* False while an answer may still come. */
bool coverage_is_done(const struct session *s);
void coverage_free(struct coverage *c);
