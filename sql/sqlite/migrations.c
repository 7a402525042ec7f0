/* SPDX-License-Identifier: Apache-2.0 */
/* The store's migrations in order; append only. */
#include "sql/sql.h"

extern const char sql_sqlite_0001[], sql_sqlite_0002[], sql_sqlite_0003[],
    sql_sqlite_0004[], sql_sqlite_0005[], sql_sqlite_0006[], sql_sqlite_0007[],
    sql_sqlite_0008[], sql_sqlite_0009[], sql_sqlite_0010[], sql_sqlite_0011[],
    sql_sqlite_0012[], sql_sqlite_0013[], sql_sqlite_0014[], sql_sqlite_0015[],
    sql_sqlite_0016[], sql_sqlite_0017[], sql_sqlite_0018[],
    sql_sqlite_0019[];

const char *const sql_sqlite_migrations[] = {
    sql_sqlite_0001, sql_sqlite_0002, sql_sqlite_0003, sql_sqlite_0004,
    sql_sqlite_0005, sql_sqlite_0006, sql_sqlite_0007, sql_sqlite_0008,
    sql_sqlite_0009, sql_sqlite_0010, sql_sqlite_0011, sql_sqlite_0012,
    sql_sqlite_0013, sql_sqlite_0014, sql_sqlite_0015, sql_sqlite_0016,
    sql_sqlite_0017, sql_sqlite_0018, sql_sqlite_0019,
};
const int sql_sqlite_version =
    (int)(sizeof sql_sqlite_migrations / sizeof *sql_sqlite_migrations);
