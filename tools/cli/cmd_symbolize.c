/* SPDX-License-Identifier: Apache-2.0 */
/* handspan symbolize: the process in which the sidecar reads foreign ELF and
 * DWARF. */
#include "tools/cli/commands.h"
#include "tools/common/options.h"
#include "tools/symbolize/symbolize.h"
#include <stdbool.h>

int cmd_symbolize(int argc, char **argv)
{
    bool is_worker = false;
    const struct option_spec specs[] = {
        {"worker", 0, OPTION_FLAG, NULL,
         "serve a sidecar on descriptor 3; nothing for people", &is_worker},
    };
    const struct options o = {
        .command = "handspan symbolize",
        .operands = "",
        .about = "Names for the frames of stacks. The sidecar starts it by "
                 "itself.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
    };
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (!is_worker)
        return options_trouble("nothing to do by hand yet; the sidecar "
                               "symbolizes errors as they come");
    return symbolize_serve(3);
}
