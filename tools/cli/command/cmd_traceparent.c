/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan traceparent: one trace for steps that are started one by one (by
 * hand, by cron, on several machines):
 *   export TRACEPARENT=$(handspan traceparent)
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/launch/origin.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include <stdio.h>
#include <string.h>

static int print_json(const char *text)
{
    char trace[33], parent[17];
    snprintf(trace, sizeof trace, "%.32s", text + 3);
    snprintf(parent, sizeof parent, "%.16s", text + 36);
    struct cJSON *o = json_object();
    json_text(o, "traceparent", text);
    json_text(o, "trace_id", trace);
    json_text(o, "parent_id", parent);
    json_print_schema(stdout);
    return json_print(stdout, o) ? EXIT_TROUBLE : EXIT_FINE;
}

int cmd_traceparent(int argc, char **argv)
{
    bool json = false;
    char text[ORIGIN_BYTES];
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "as a JSON object", &json},
    };
    const struct options o = {
        .command = "handspan traceparent",
        .operands = "",
        .about = "Print a new trace's TRACEPARENT. Programs that are started "
                 "with it are one\ntrace, each a root of it:\n"
                 "  export TRACEPARENT=$(handspan traceparent)\n"
                 "  handspan run -- ./fetch; handspan run -- ./load\n"
                 "  handspan show \"$TRACEPARENT\"",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int err = origin_make(text);
    if (err)
        return options_trouble("no random numbers: %s", strerror(-err));
    if (json)
        return print_json(text);
    puts(text);
    return EXIT_FINE;
}
