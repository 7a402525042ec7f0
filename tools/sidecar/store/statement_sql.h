/* SPDX-License-Identifier: Apache-2.0 */
/* The text of each statement: by its name, from sql/sqlite/sidecar.sql. */
#pragma once
#include "tools/sidecar/store/store.h"

/* What follows the line "-- :name"; the statement ends at its semicolon. NULL:
 * there is none of that name. The name goes to *name either way. Both are
 * constants. */
const char *statement_sql(enum store_statement which, const char **name);
