/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [[program("etl-*"), fails(exit > 1)]]: which exit statuses are errors.
 */
#pragma once
#include "preload/call/record/runtime.h"

/* Ask the rules of the manifest that hold for `program` (a basename) about
 * each status and write the answers into the session. Without a rule nothing
 * is written. [constructor] */
HIDDEN void exit_rules_put(struct lane_session *session,
                           const struct manifest *manifest,
                           const char *program);
