/* SPDX-License-Identifier: Apache-2.0 */
/* handspan env: the exports for a shell: eval "$(handspan env -m FILE)". */
#include "tools/cli/command/commands.h"
#include "tools/cli/launch/launch.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Single quotes: nothing in them is special to a shell but themselves. */
static void print_export(const char *name, const char *value)
{
    printf("export %s='", name);
    for (; *value; value++)
        if (*value == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*value);
    puts("'");
}

static int print(const struct launch *l, bool json)
{
    char preload[2 * PATHS_MAX + 2];
    launch_preload_value(l, preload, sizeof preload);
    const char *const pairs[][2] = {{"LD_PRELOAD", preload},
                                    {"HANDSPAN_DIR", l->dir},
                                    {"HANDSPAN_STORE", l->store},
                                    {"HANDSPAN_MANIFEST", l->manifest}};
    struct cJSON *o = json ? json_object() : NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!pairs[i][1][0])
            continue;
        if (json)
            json_text(o, pairs[i][0], pairs[i][1]);
        else
            print_export(pairs[i][0], pairs[i][1]);
    }
    if (json) {
        json_print_schema(stdout);
        return json_print(stdout, o) ? EXIT_TROUBLE : EXIT_FINE;
    }
    return EXIT_FINE;
}

int cmd_env(int argc, char **argv)
{
    struct launch_options how = {0};
    bool json = false;
    const struct option_spec specs[] = {
        {"manifest", 'm', OPTION_TEXT, "FILE",
         "what to trace; else ./handspan.manifest", &how.manifest},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept", &how.dir},
        {"store", 0, OPTION_TEXT, "FILE", "the store", &how.store},
        {"json", 0, OPTION_FLAG, NULL, "as a JSON object", &json},
    };
    const struct options o = {
        .command = "handspan env",
        .operands = "",
        .about = "Print what traces the programs of a shell from then on:\n"
                 "  eval \"$(handspan env -m my.manifest)\"",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    struct launch l;
    launch_prepare(&how, &l);
    /* a manifest that was named and cannot be read: told already */
    bool is_unread = how.manifest && !l.file.manifest;
    int status = l.is_ready && !is_unread ? print(&l, json) : EXIT_TROUBLE;
    launch_free(&l);
    return status;
}
