/* SPDX-License-Identifier: Apache-2.0 */
/* handspan schema: the SQL that makes the tables, for psql and for reading. */
#include "sql/sql.h"
#include "tools/cli/command/commands.h"
#include "tools/common/options.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What is ours: with --prefix it gets the prefix. Roles keep their names. */
static const char *const tables[] = {"spans",        "traces",  "processes",
                                     "sites",        "rollups", "losses",
                                     "error_groups", "throws"};
static const char *const others[] = {
    "schema",    "spans",  "traces",       "processes",    "sites",
    "rollups",   "losses", "error_groups", "error_totals", "throws",
    "bucket_ns", "stats",  "errors",       "retain",       "partition"};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Of `spans_by_start`: what follows a table's name in that of its index. */
static bool is_index(const char *rest, size_t len)
{
    if (len == strlen("_failed") && strncmp(rest, "_failed", len) == 0)
        return true;
    if (len <= strlen("_by_") || strncmp(rest, "_by_", strlen("_by_")) != 0)
        return false;
    for (size_t i = strlen("_by_"); i < len; i++)
        if (!islower((unsigned char)rest[i]))
            return false;
    return true;
}

static bool is_ours(const char *word, size_t len)
{
    size_t own = strlen("handspan_");
    if (len > own && strncmp(word, "handspan_", own) == 0) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (strlen(others[i]) == len - own &&
                strncmp(others[i], word + own, len - own) == 0)
                return true;
        return false;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        size_t n = strlen(tables[i]);
        if (len >= n && strncmp(tables[i], word, n) == 0 &&
            (len == n || is_index(word + n, len - n)))
            return true;
    }
    return false;
}

static void print_prefixed(const char *sql, const char *prefix)
{
    while (*sql) {
        size_t len = 0;
        while (is_word(sql[len]))
            len++;
        if (len > 0 && is_ours(sql, len))
            fputs(prefix, stdout);
        len = len ? len : 1;
        fwrite(sql, 1, len, stdout);
        sql += len;
    }
}

static bool is_prefix(const char *prefix)
{
    if (isdigit((unsigned char)*prefix))
        return false;
    for (; *prefix; prefix++)
        if (!islower((unsigned char)*prefix) &&
            !isdigit((unsigned char)*prefix) && *prefix != '_')
            return false;
    return true;
}

static int print_postgres(const char *prefix, int64_t only)
{
    int64_t count = 0;
    while (sql_postgres_migrations[count])
        count++;
    if (only > count)
        return options_trouble("there are %lld migrations", (long long)count);
    if (only > 0) {
        print_prefixed(sql_postgres_migrations[only - 1], prefix);
        return EXIT_FINE;
    }
    puts("BEGIN;");
    /* that a policy is not there yet is no news */
    puts("SET LOCAL client_min_messages = warning;");
    for (int64_t i = 0; i < count; i++)
        print_prefixed(sql_postgres_migrations[i], prefix);
    puts("COMMIT;");
    return EXIT_FINE;
}

int cmd_schema(int argc, char **argv)
{
    const char *prefix = "";
    int64_t only = 0;
    const struct option_spec specs[] = {
        {"prefix", 0, OPTION_TEXT, "P",
         "PostgreSQL: before each name, as ?prefix=P of the sink", &prefix},
        {"only", 0, OPTION_NUMBER, "N",
         "PostgreSQL: migration N alone, without a transaction around it",
         &only},
    };
    const struct options o = {
        .command = "handspan schema",
        .operands = "postgres|postgres-partition|sqlite",
        .about =
            "Print the SQL that makes the tables.\n"
            "  handspan schema postgres | psql -d traces\n"
            "makes those of a sink, or brings them up to date; it can be run "
            "again. That of\nthe store (sqlite) is for reading: its views "
            "named_* have names and times for\npeople.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_min = 1,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (!is_prefix(prefix))
        return options_trouble("--prefix: small letters, digits and _, not "
                               "'%s'",
                               prefix);
    if (strcmp(argv[0], "postgres") == 0)
        return print_postgres(prefix, only);
    if (only)
        return options_trouble("--only is for postgres");
    if (strcmp(argv[0], "postgres-partition") == 0) {
        print_prefixed(sql_postgres_partition, prefix);
        return EXIT_FINE;
    }
    if (strcmp(argv[0], "sqlite") != 0)
        return options_trouble(
            "no schema '%s': postgres, postgres-partition or sqlite", argv[0]);
    if (*prefix)
        return options_trouble("--prefix is for postgres");
    for (int i = 0; i < sql_sqlite_version; i++)
        fputs(sql_sqlite_migrations[i], stdout);
    return EXIT_FINE;
}
