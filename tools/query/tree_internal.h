/* SPDX-License-Identifier: Apache-2.0 */
/* Between tree.c and critical.c only. */
#pragma once
#include "tools/query/tree.h"

/*
 * Mark the nodes on the critical path: those whose spans, with what they call,
 * make up at least a tenth of it. 0 or -ENOMEM.
 */
int query_tree_mark_critical(struct query_tree *t);
