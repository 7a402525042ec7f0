/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of this folder, as it was when we were built. */
#pragma once

/* The store's migrations: [n] brings user_version n to n + 1. */
extern const char *const sql_sqlite_migrations[];
/* The user_version of a store that is up to date. */
extern const int sql_sqlite_version;

/* Those of the tables in PostgreSQL, each to be run in a transaction; NULL ends. */
extern const char *const sql_postgres_migrations[];
/* For the day when there are 100 million spans. */
extern const char sql_postgres_partition[];

/* Statements of the sidecar: text; each opens with a line "-- :NAME". */
extern const char sql_sqlite_sidecar[];
/* The same of tools/store: retention, metrics, names, texts. */
extern const char sql_sqlite_retention[];
extern const char sql_sqlite_metrics[];
extern const char sql_sqlite_naming[];
extern const char sql_sqlite_texts[];
/* The same of the uploader. */
extern const char sql_sqlite_upload[];
