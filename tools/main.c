/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan: one binary, one subcommand per file in tools/cli/. This file only
 * finds the subcommand.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/page/page_commands.h"
#include "tools/cli/compare/cmd_diff.h"
#include "tools/cli/live/cmd_live.h"
#include "tools/common/config.h"
#include "tools/common/inherited.h"
#include "tools/common/options.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    /* clang-format off */
    {"run", cmd_run},
    {"env", cmd_env},
    {"check", cmd_check},
    {"suggest", cmd_suggest},
    {"types", cmd_types},
    {"list", cmd_list},
    {"show", cmd_show},
    {"stats", cmd_stats},
    {"errors", cmd_errors},
    {"diff", cmd_diff},
    {"spans", cmd_spans},
    {"look", cmd_look},
    {"top", cmd_top},
    {"status", cmd_status},
    {"off", cmd_off},
    {"on", cmd_on},
    {"sidecar", cmd_sidecar},
    {"symbolize", cmd_symbolize},
    {"traceparent", cmd_traceparent},
    {"serve", cmd_serve},
    {"report", cmd_report},
    {"export", cmd_export},
    {"doctor", cmd_doctor},
    {"schema", cmd_schema},
    {"config", cmd_config},
    {"upload", cmd_upload},
    {"uploads", cmd_uploads},
    {"prune", cmd_prune},
    {"delete", cmd_delete},
    {"version", cmd_version},
    {"--version", cmd_version},
    {"help", cmd_help},
    {"--help", cmd_help},
    {"-h", cmd_help},
    /* clang-format on */
};

static int unknown(const char *name)
{
    struct text_nearest near;
    text_nearest_init(&near, name);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        text_nearest_offer(&near, commands[i].name);
    if (near.name[0])
        options_trouble("no command '%s'; did you mean '%s'?", name,
                        near.name[0]);
    else
        options_trouble("no command '%s'", name);
    fputs("Try 'handspan help'.\n", stderr);
    return EXIT_TROUBLE;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

/* handspan help COMMAND: as handspan COMMAND --help. */
static int help(const char *name)
{
    const struct command *command = find(name);
    char *with[] = {(char *)name, "--help", NULL};
    return command ? command->run(2, with) : unknown(name);
}

static void tell(void *context, const char *text)
{
    (void)context;
    options_trouble("%s", text);
}

/* A screen that could not be written is no screen. `run` has the status of its
 * program, and nothing on standard output. */
static int check_output(const char *command, int status)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    failed |= fflush(stdout) != 0;
    if (!failed || status == EXIT_TROUBLE || strcmp(command, "run") == 0)
        return status;
    return options_trouble("cannot write to standard output%s%s",
                           errno ? ": " : "", errno ? strerror(errno) : "");
}

static int command_line(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    config_load();
    if (argc < 2) {
        options_trouble("needs a command");
        fputs("Try 'handspan help'.\n", stderr);
        return EXIT_TROUBLE;
    }
    if (strcmp(argv[1], "config") != 0) /* it tells them itself */
        (void)config_problems(false, tell, NULL);
    if (strcmp(argv[1], "help") == 0 && argc > 2)
        return check_output("help", help(argv[2]));
    const struct command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    return check_output(command->name, command->run(argc - 1, argv + 1));
}

int main(int argc, char **argv)
{
    inherited_take();
    return inherited_run(command_line, argc, argv);
}
