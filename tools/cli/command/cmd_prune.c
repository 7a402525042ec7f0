/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan prune: retention by hand, with the settings or with what is said
 * here. The same steps as the sidecar's; both may run at the same time.
 */
#include "tools/cli/command/commands.h"
#include "tools/common/config.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/store/retention.h"
#include <string.h>

struct prune {
    const char *older, *size, *thin, *store, *dir;
    bool json, is_dry, unsent, compact;
    char path[PATHS_MAX];
    struct retention *r;
    struct retention_rules rules;
};

static int trouble(const struct prune *p, int rc)
{
    const char *why = retention_why(p->r);
    return options_trouble("store '%s': %s", p->path,
                           *why ? why : strerror(-rc));
}

static void print_size(const struct prune *p, const struct retention_size *s)
{
    if (p->json)
        return;
    printf("The store has %s", format_bytes(s->used_bytes).text);
    if (s->free_bytes)
        printf(" and %s of holes%s", format_bytes(s->free_bytes).text,
               s->gives_back ? "" : " (handspan prune --compact)");
    puts(".");
}

static void print_result(const struct prune *p, const struct retention_done *d,
                         int64_t held, const struct retention_size *s)
{
    if (p->json) {
        struct cJSON *o = json_object();
        json_print_schema(stdout);
        json_bool(o, "dry_run", p->is_dry);
        json_int(o, "traces", d->traces);
        json_int(o, "spans", d->spans);
        json_int(o, "thinned_traces", d->thinned_traces);
        json_int(o, "thinned_spans", d->thinned_spans);
        json_int(o, "held_traces", held);
        json_int(o, "used_bytes", s->used_bytes);
        json_int(o, "free_bytes", s->free_bytes);
        json_print(stdout, o);
        return;
    }
    const char *would = p->is_dry ? "Would remove" : "Removed";
    printf("%s %s traces with %s spans", would, format_count(d->traces).text,
           format_count(d->spans).text);
    if (p->is_dry)
        printf(" by age, and look at %s traces with %s spans to thin out.\n",
               format_count(d->thinned_traces).text,
               format_count(d->thinned_spans).text);
    else
        printf("; thinned out %s traces by %s spans.\n",
               format_count(d->thinned_traces).text,
               format_count(d->thinned_spans).text);
    if (held)
        printf("%s traces are old enough, but some sink does not have them "
               "yet (--include-unsent).\n",
               format_count(held).text);
}

static int dry_run(struct prune *p)
{
    struct retention_done done;
    struct retention_size size;
    int64_t held;
    int rc = retention_look(p->r, &p->rules, format_now_ns(), &done, &held);
    if (rc == 0)
        rc = retention_size(p->r, &size);
    if (rc != 0)
        return trouble(p, rc);
    print_result(p, &done, held, &size);
    print_size(p, &size);
    if (!p->json && p->rules.keep_bytes >= 0 &&
        size.used_bytes > p->rules.keep_bytes)
        printf("That is more than %s: the oldest would be thinned out, then "
               "removed, until it fits.\n",
               format_bytes(p->rules.keep_bytes).text);
    return EXIT_FINE;
}

static int work(struct prune *p)
{
    struct retention_done done = {0}, would;
    struct retention_size size;
    int64_t held;
    int rc = 1;
    while (rc > 0)
        rc = retention_step(p->r, &p->rules, format_now_ns(), &done);
    if (rc == 0 && p->compact)
        rc = retention_compact(p->r);
    if (rc == 0)
        rc = retention_look(p->r, &p->rules, format_now_ns(), &would, &held);
    if (rc == 0)
        rc = retention_size(p->r, &size);
    if (rc != 0)
        return trouble(p, rc);
    print_result(p, &done, held, &size);
    print_size(p, &size);
    return EXIT_FINE;
}

/* What is said here goes over the settings; and what is not said at all here
 * stays as it is set. */
static int take_rules(struct prune *p)
{
    char why[512];
    config_set(CONFIG_KEEP_AGE, p->older);
    config_set(CONFIG_KEEP_SIZE, p->size);
    config_set(CONFIG_THIN_AGE, p->thin);
    if (retention_settings(&p->rules, why, sizeof why) < 0)
        return options_trouble("%s; write for example 30d or 2GB, or off", why);
    p->rules.include_unsent = p->unsent;
    return 0;
}

int cmd_prune(int argc, char **argv)
{
    struct prune p = {0};
    char why[PATHS_MAX + 512];
    const struct option_spec specs[] = {
        {"older-than", 0, OPTION_TEXT, "AGE", "remove older traces: 30d, off",
         &p.older},
        {"max-size", 0, OPTION_TEXT, "SIZE",
         "and the oldest of a larger store: 2GB, off", &p.size},
        {"thin-older-than", 0, OPTION_TEXT, "AGE",
         "thin out older traces: 7d, off", &p.thin},
        {"include-unsent", 0, OPTION_FLAG, NULL,
         "also what some sink does not have yet", &p.unsent},
        {"dry-run", 0, OPTION_FLAG, NULL, "only say what would go", &p.is_dry},
        {"compact", 0, OPTION_FLAG, NULL,
         "write the file anew, without holes (others wait meanwhile)",
         &p.compact},
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &p.json},
        {"store", 0, OPTION_TEXT, "FILE", "the store", &p.store},
        {"dir", 0, OPTION_TEXT, "DIR", "where sessions are kept", &p.dir},
    };
    const struct options o = {
        .command = "handspan prune",
        .operands = "",
        .about = "Take old traces out of the store, by the settings keep_age, "
                 "keep_size, thin_age\nor as said here. Thinning out keeps "
                 "failed calls and the slowest of each handler;\ntotals stay "
                 "exact. The sidecar does the same by itself.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    if (take_rules(&p) != 0)
        return EXIT_TROUBLE;
    if (paths_store_of(p.dir, p.store, p.path, sizeof p.path) < 0)
        return options_trouble("cannot tell where the store is: name it with "
                               "--store");
    if (retention_open(p.path, &p.r, why, sizeof why) < 0)
        return options_trouble("%s", why);
    int status = p.is_dry ? dry_run(&p) : work(&p);
    retention_close(p.r);
    return status;
}
