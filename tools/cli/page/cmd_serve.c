/* SPDX-License-Identifier: Apache-2.0 */
/* handspan serve: the store as a page in the browser. */
#include "tools/cli/page/page_commands.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/serve/serve.h"

int cmd_serve(int argc, char **argv)
{
    const char *store = NULL;
    int64_t port = 0;
    char path[PATHS_MAX], why[PATHS_MAX + 256];
    const struct option_spec specs[] = {
        {"port", 'p', OPTION_NUMBER, "N", "this port (a free one)", &port},
        {"store", 0, OPTION_TEXT, "FILE", "another store", &store},
    };
    const struct options o = {
        .command = "handspan serve",
        .operands = "",
        .about = "The store as a page: prints its address, with a token "
                 "without which nothing is\ntold, and serves it on this "
                 "machine alone (127.0.0.1) until Ctrl-C. The store is\nonly "
                 "read, and the page loads nothing from elsewhere.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (port > UINT16_MAX)
        return options_trouble("--port: 1 to 65535, or 0 for a free one");
    if (paths_store_of(NULL, store, path, sizeof path) != 0)
        return options_trouble("cannot tell where the store is: name it with "
                               "--store");
    int err = serve_run(path, (uint16_t)port, why, sizeof why);
    return err ? options_trouble("%s", why) : EXIT_FINE;
}
