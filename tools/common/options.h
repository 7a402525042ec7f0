/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options of a subcommand, described as data: parsing, --help
 * and good errors come from the same table.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_OPTIONAL, /* const char *: --name or --name=VALUE; then "" */
    OPTION_NUMBER,   /* int64_t, not negative */
    OPTION_TIME,     /* int64_t, unix ns; see format_parse_time() */
    OPTION_WORDS,    /* struct option_words: may be given several times */
};
/* All that was given, a blank before each. */
struct option_words {
    char text[16384];
};
struct option_spec {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *value; /* what to call it in the help */
    const char *help;
    void *target;
};
struct options {
    const char *command;  /* "handspan list" */
    const char *operands; /* "[TRACE]" */
    const char *about;    /* what it does: a sentence or more */
    const struct option_spec *specs;
    size_t spec_count;
    int operand_max; /* < 0: any number */
    int operand_min;
    bool stops_at_operand; /* what follows belongs to another program */
};

enum {
    OPTIONS_HELP = -1, /* --help was given and answered on stdout: exit 0 */
    OPTIONS_BAD = -2,  /* told on stderr: exit 2 */
};
/*
 * Parse argv[1..]; the operands are moved to the front of argv (argv[0] on).
 * Their number, or one of the above.
 */
int options_parse(const struct options *o, int argc, char **argv);

/* Exit codes of every command but `run`. */
enum {
    EXIT_FINE = 0,
    EXIT_FOUND = 1,   /* found something, or nothing matched */
    EXIT_TROUBLE = 2, /* trouble or wrong usage */
};
/* "handspan: ..." on stderr. Returns EXIT_TROUBLE. */
int options_trouble(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
