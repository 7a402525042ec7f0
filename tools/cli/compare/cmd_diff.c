/* SPDX-License-Identifier: Apache-2.0 */
/* handspan diff: what changed between two runs, or two sets of runs. */
#include "tools/cli/compare/cmd_diff.h"
#include "tools/cli/compare/compare.h"
#include "tools/common/text/format.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT = 30,
    LIMIT_MOST = PERMUTE_RUNS / 2,
};
struct diff {
    struct view view;
    const char *by, *fail_over;
    bool all;
    double percent; /* < 0: nothing fails */
};

static int check(struct diff *d)
{
    char *end = NULL;
    d->percent = -1;
    if (d->by && strcmp(d->by, "handler") != 0 && strcmp(d->by, "path") != 0)
        return options_trouble("--by=%s: there are handler and path", d->by);
    if (d->view.limit < 1 || d->view.limit > LIMIT_MOST)
        return options_trouble("--limit=%lld: 1 to %d runs a side",
                               (long long)d->view.limit, LIMIT_MOST);
    if (!d->fail_over)
        return 0;
    d->percent = strtod(d->fail_over, &end);
    if (end == d->fail_over || (*end && strcmp(end, "%") != 0) ||
        !(d->percent >= 0 && d->percent < 1e6)) {
        d->percent = -1;
        return options_trouble("--fail-over=%s: not a percentage; write for "
                               "example 10%%",
                               d->fail_over);
    }
    return 0;
}

/* Without a trace: the latest and the one before it; with --since: what ran
 * before that time, and what since. */
static int choose(struct diff *d, int operands, char **argv, struct compare *c)
{
    struct view *v = &d->view;
    int64_t most = v->limit, since = v->filter.since_unix_ns;
    const char *a = operands > 0 ? argv[0] : since ? NULL : "latest~1";
    const char *b = operands > 1 ? argv[1] : since ? NULL : "latest";
    bool is_by_time = operands == 0 && since;
    if (is_by_time) {
        v->filter.since_unix_ns = 0;
        v->filter.until_unix_ns = since;
    }
    int status = compare_choose(v, a, most, &c->side[COMPARE_A]);
    if (is_by_time) {
        v->filter.since_unix_ns = since;
        v->filter.until_unix_ns = v->until;
    }
    if (!status)
        status = compare_choose(v, b, most, &c->side[COMPARE_B]);
    return status;
}

static int fail(const struct diff *d, const struct compare *c)
{
    const struct compare_row *r =
        d->percent < 0 ? NULL : compare_slower(c, d->percent);
    if (!r)
        return EXIT_FINE;
    options_trouble("%s takes over %g%% more: %s, then %s%s",
                    r == &c->whole ? "a run" : text_shown(r->name).text,
                    d->percent, format_duration(r->side[0].self_ns, 0).text,
                    format_duration(r->side[1].self_ns, 0).text,
                    c->is_tested ? ""
                                 : "; too few runs to tell noise from change");
    return EXIT_FOUND;
}

static int run(struct diff *d, int operands, char **argv)
{
    struct compare c = {.is_by_path = d->by && strcmp(d->by, "path") == 0};
    int status = choose(d, operands, argv, &c);
    if (!status) {
        int err = compare_load(&d->view, &c);
        if (!err)
            err = compare_judge(&c);
        if (!err)
            err = d->view.json ? compare_print_json(&d->view, &c)
                               : compare_print_text(&d->view, &c, d->all);
        status = err ? options_trouble("cannot compare: %s", strerror(-err))
                     : fail(d, &c);
    }
    compare_free(&c);
    return status;
}

int cmd_diff(int argc, char **argv)
{
    struct diff d = {.view = VIEW_INIT};
    d.view.limit = LIMIT;
    const struct option_spec specs[] = {
        VIEW_OPTIONS(d.view),
        {"by", 0, OPTION_TEXT, "WHAT", "rows: handler (as it is) or path",
         &d.by},
        {"all", 'a', OPTION_FLAG, NULL, "also all rows that are noise", &d.all},
        {"limit", 'n', OPTION_NUMBER, "N",
         "at most the latest N runs a side (30)", &d.view.limit},
        {"fail-over", 0, OPTION_TEXT, "PERCENT",
         "exit status 1 if a run, or a handler of it, takes so much more",
         &d.fail_over},
    };
    const struct options o = {
        .command = "handspan diff",
        .operands = "[A [B]]",
        .about =
            "What changed from A to B: handlers by self time, the largest "
            "change first,\nwith what of all change it is; noise told apart; "
            "new and gone handlers,\nfailures, builds of programs and "
            "libraries. A and B are traces, or sets of them:\nKEY=VALUE,... "
            "with program, service, host, status, since, until or an "
            "attribute\n(service.version=1.4). Without B: the latest; without "
            "both: it and the one before,\nor, with --since, what ran before "
            "that and what since.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = 2};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    int status = check(&d);
    if (!status)
        status = view_open(&d.view, false);
    if (!status) {
        view_page(&d.view);
        status = run(&d, operands, argv);
    }
    view_close(&d.view);
    return status;
}
