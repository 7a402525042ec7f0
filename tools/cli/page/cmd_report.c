/* SPDX-License-Identifier: Apache-2.0 */
/* handspan report: a trace as one HTML file. */
#include "tools/cli/page/page_commands.h"
#include "tools/cli/screen/view.h"
#include "tools/common/paths.h"
#include "tools/common/text/format.h"
#include "tools/serve/serve.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    MEGABYTES = 8,
    MOST_MEGABYTES = 1000,
};

/* What became of it; on stderr, since the file may be on stdout. */
static void tell(const struct report *r, const char *file)
{
    fprintf(stderr, "handspan: %s%s%s", file ? file : "a page",
            r->bytes > 0 ? ", " : "",
            r->bytes > 0 ? format_bytes(r->bytes).text : "");
    if (r->told < r->calls)
        fprintf(stderr,
                "; values of %s of %s calls (those that failed, then the "
                "longest); more with --most=MB",
                format_count(r->told).text, format_count(r->calls).text);
    fputs(".\nIt has the values that were captured; look who is to get it.\n",
          stderr);
}

static int write_file(struct report *r, const char *file)
{
    char why[512] = "";
    FILE *out = file ? fopen(file, "wxe") : stdout;
    if (!out)
        return options_trouble("cannot write '%s': %s%s", file, strerror(errno),
                               errno == EEXIST ? "; remove it, or name another"
                                               : "");
    int err = report_write(r, out, why, sizeof why);
    bool failed = !err && (fflush(out) != 0 || ferror(out));
    if (failed)
        snprintf(why, sizeof why, "cannot write: %s", strerror(errno));
    if (file && fclose(out) != 0 && !err && !failed) {
        snprintf(why, sizeof why, "cannot write '%s': %s", file,
                 strerror(errno));
        failed = true;
    }
    if (file && (err || failed))
        (void)unlink(file);
    if (err || failed)
        return options_trouble("%s", why);
    tell(r, file);
    return EXIT_FINE;
}

int cmd_report(int argc, char **argv)
{
    struct view v = VIEW_INIT;
    const char *file = NULL;
    int64_t most = MEGABYTES;
    char store[PATHS_MAX];
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, "FILE", "a new file (standard output)",
         &file},
        {"most", 0, OPTION_NUMBER, "MB", "about so large at most (8)", &most},
        {"store", 0, OPTION_TEXT, "FILE", "another store", &v.store},
    };
    const struct options o = {
        .command = "handspan report",
        .operands = "[TRACE]",
        .about = "A trace as one HTML file, to be mailed or kept: the page of "
                 "'handspan serve' with\nall that it shows of the trace. It "
                 "has values of calls, and loads nothing from\nelsewhere.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (most < 1 || most > MOST_MEGABYTES)
        return options_trouble("--most: 1 to %d", MOST_MEGABYTES);
    if (!file && isatty(STDOUT_FILENO))
        return options_trouble("a page is nothing for a terminal: name a file "
                               "with -o FILE");
    struct query_trace trace = {0};
    int status = view_open(&v, false);
    if (!status)
        status = view_choose(&v, operands ? argv[0] : NULL, &trace);
    if (!status && paths_store_of(NULL, v.store, store, sizeof store) == 0) {
        struct report r = {
            .store = store, .trace = trace.hex, .most_bytes = most << 20};
        status = write_file(&r, file);
    }
    query_trace_free(&trace);
    view_close(&v);
    return status;
}
