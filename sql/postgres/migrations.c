/* SPDX-License-Identifier: Apache-2.0 */
/* The migrations of the tables in PostgreSQL, in order; append only. */
#include "sql/sql.h"
#include <stddef.h>

extern const char sql_postgres_0001[], sql_postgres_0002[], sql_postgres_0003[],
    sql_postgres_0004[], sql_postgres_0005[];

const char *const sql_postgres_migrations[] = {
    sql_postgres_0001,
    sql_postgres_0002,
    sql_postgres_0003,
    sql_postgres_0004,
    sql_postgres_0005,
    NULL,
};
