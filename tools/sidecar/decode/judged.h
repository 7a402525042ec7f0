/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule judged. */
#pragma once

struct cJSON;

/*
 * Adds `judged` to an error: the numbers that its rule's condition names, as
 * they were: {"rc": 502}, {"return": -1}. Names of parameters that were not
 * captured, members and what a pointer points to are left out; none of them
 * known: no `judged`. `input`: of the call, or NULL.
 */
void judged_add(struct cJSON *error, const char *rule,
                const struct cJSON *input);
