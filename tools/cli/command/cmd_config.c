/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan config: the settings that count here and now, and which file,
 * variable or flag each comes from. Secrets are masked.
 */
#include "tools/cli/command/commands.h"
#include "tools/common/config.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/paths.h"
#include "tools/common/text/term.h"
#include "tools/upload/upload.h"
#include <string.h>

enum {
    VALUE_BYTES = 8192
};

struct shown {
    struct config_info info;
    char value[VALUE_BYTES];
    bool has_value;
};

/* What counts where nobody said anything. */
static void fill_places(enum config_key key, struct shown *s)
{
    char dir[PATHS_MAX];
    int err = paths_dir(NULL, dir, sizeof dir);
    if (key == CONFIG_DIR && err)
        return;
    if (key == CONFIG_DIR)
        snprintf(s->value, sizeof s->value, "%s", dir);
    else if (paths_store(NULL, dir, s->value, sizeof s->value) < 0)
        return;
    s->has_value = true;
}

/* A list of URLs, each without what is secret in it. */
static void mask_list(const char *list, char *out, size_t cap_bytes)
{
    char one[VALUE_BYTES], masked[VALUE_BYTES];
    size_t used = 0;
    out[0] = 0;
    for (const char *at = list + strspn(list, " \t"); *at;
         at += strspn(at, " \t")) {
        size_t len = strcspn(at, " \t");
        snprintf(one, sizeof one, "%.*s", (int)len, at);
        config_mask_url(one, masked, sizeof masked);
        int n = snprintf(out + used, cap_bytes - used, "%s%s", used ? " " : "",
                         masked);
        if (n < 0 || (size_t)n >= cap_bytes - used)
            return;
        used += (size_t)n;
        at += len;
    }
}

static void look(enum config_key key, struct shown *s)
{
    config_info(key, &s->info);
    s->has_value = s->info.value && *s->info.value;
    s->value[0] = 0;
    if (key == CONFIG_DIR || key == CONFIG_STORE)
        fill_places(key, s);
    else if (s->has_value && s->info.is_secret)
        snprintf(s->value, sizeof s->value, "***");
    else if (s->has_value && key == CONFIG_UPLOAD)
        mask_list(s->info.value, s->value, sizeof s->value);
    else if (s->has_value)
        snprintf(s->value, sizeof s->value, "%s", s->info.value);
}

static void print_json(const struct shown *s)
{
    struct cJSON *o = json_object();
    json_text(o, "name", s->info.name);
    json_text(o, "value", s->has_value ? s->value : NULL);
    json_text(o, "origin", s->info.origin);
    json_text(o, "variable", s->info.variable);
    json_bool(o, "secret", s->info.is_secret);
    json_print(stdout, o);
}

static void print_line(const struct term *t, const struct shown *s)
{
    struct term_line l;
    term_line_init(&l, t);
    term_line_text(&l, TERM_BOLD, s->info.name, -1);
    term_line_pad(&l, 17);
    term_line_text(&l, s->has_value ? TERM_PLAIN : TERM_DIM,
                   s->has_value ? s->value : "(none)", -1);
    if (strcmp(s->info.origin, "default") != 0) {
        term_line_pad(&l, l.column + 2);
        term_line_printf(&l, TERM_DIM, "(%s)", s->info.origin);
    }
    term_line_end(&l);
    term_line_free(&l);
}

static void tell(void *context, const char *text)
{
    (void)context;
    options_trouble("%s", text);
}

static void tell_sink(void *context, const char *text)
{
    const struct config_info *upload = context;
    options_trouble("%s: upload %s", upload->origin, text);
}

/* What the sidecar would say of them, and then not upload. */
static int sinks_problems(void)
{
    struct config_info upload;
    config_info(CONFIG_UPLOAD, &upload);
    return upload.value ? upload_check(upload.value, tell_sink, &upload) : 0;
}

int cmd_config(int argc, char **argv)
{
    bool json = false;
    const char *dir = NULL, *store = NULL;
    struct term term;
    const struct option_spec specs[] = {
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &json},
        {"dir", 0, OPTION_TEXT, "DIR", "as other commands take it", &dir},
        {"store", 0, OPTION_TEXT, "FILE", "as other commands take it", &store},
    };
    const struct options o = {
        .command = "handspan config",
        .operands = "",
        .about = "The settings that count, and where each comes from: "
                 "a flag, a variable of the\nenvironment, a file (first "
                 "$XDG_CONFIG_HOME/handspan/config, then\n"
                 "/etc/handspan/config), else the default. Secrets are not "
                 "shown. Exit status 1\nwhen something in them means nothing.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    config_set(CONFIG_DIR, dir);
    config_set(CONFIG_STORE, store);
    term_detect(&term, stdout);
    if (json)
        json_print_schema(stdout);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        struct shown s;
        look((enum config_key)i, &s);
        if (json)
            print_json(&s);
        else
            print_line(&term, &s);
    }
    int problems = config_problems(true, tell, NULL) + sinks_problems();
    return problems ? EXIT_FOUND : EXIT_FINE;
}
