/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs stand on a side; see compare.h. */
#include "tools/cli/compare/compare.h"
#include "tools/common/text/format.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTRIBUTES_MAX = 8
};
struct attribute {
    const char *key, *value;
};
struct chosen {
    struct view *view;
    struct compare_side *side;
    struct attribute attribute[ATTRIBUTES_MAX];
    int attributes;
    int64_t most;
    size_t cap;
};

static bool has_attributes(const struct chosen *c, const struct query_trace *t)
{
    for (int i = 0; i < c->attributes; i++) {
        char value[512];
        const struct attribute *a = &c->attribute[i];
        if (!query_resource_value(c->view->db, t->session, a->key, value,
                                  sizeof value) ||
            !query_glob(a->value, value))
            return false;
    }
    return true;
}

static int take(void *context, struct query_trace *t)
{
    struct chosen *c = context;
    struct compare_side *s = c->side;
    bool is_open = t->status && strcmp(t->status, "open") == 0;
    bool is_wanted = has_attributes(c, t);
    s->still_open += is_wanted && is_open;
    s->matching += is_wanted && !is_open;
    if (!is_wanted || is_open || (int64_t)s->count >= c->most) {
        query_trace_free(t);
        return 0;
    }
    if (s->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        void *grown = realloc(s->trace, cap * sizeof *s->trace);
        if (!grown) {
            query_trace_free(t);
            return -ENOMEM;
        }
        s->trace = grown;
        c->cap = cap;
    }
    s->lacking += t->dropped_calls > 0;
    s->trace[s->count++] = *t;
    return 0;
}

static int take_time(const char *value, const char *key, int64_t *out)
{
    if (format_parse_time(value, format_now_ns(), out) == 0)
        return 0;
    return options_trouble("%s=%s: not a time; write for example 2h, yesterday "
                           "or 2026-03-03",
                           key, value);
}

/* One KEY=VALUE: a filter's, or what a resource attribute must be. */
static int add_condition(struct chosen *c, struct query_filter *f,
                         const char *key, const char *value)
{
    const struct {
        const char *name, **target;
    } keys[] = {{"status", &f->status},
                {"service", &f->service},
                {"host", &f->host},
                {"name", &f->name},
                {"program", &f->program}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i].name) == 0) {
            *keys[i].target = value;
            return 0;
        }
    if (strcmp(key, "since") == 0)
        return take_time(value, key, &f->since_unix_ns);
    if (strcmp(key, "until") == 0)
        return take_time(value, key, &f->until_unix_ns);
    if (c->attributes == ATTRIBUTES_MAX)
        return options_trouble("'%s': more than %d attributes", c->side->text,
                               ATTRIBUTES_MAX);
    c->attribute[c->attributes++] = (struct attribute){key, value};
    return 0;
}

static int parse_set(struct chosen *c, struct query_filter *f, char *text)
{
    char *save = NULL;
    for (char *one = strtok_r(text, ",", &save); one;
         one = strtok_r(NULL, ",", &save)) {
        char *equal = strchr(one, '=');
        if (!equal || equal == one || !equal[1])
            return options_trouble(
                "'%s' is neither a trace nor KEY=VALUE,...; KEY is program, "
                "service, host, status, since, until or an attribute "
                "(service.version)",
                one);
        *equal = 0;
        int status = add_condition(c, f, one, equal + 1);
        if (status)
            return status;
    }
    return 0;
}

static int choose_set(struct view *v, struct chosen *c)
{
    struct query_filter filter = v->filter;
    char *copy = c->side->text ? strdup(c->side->text) : NULL;
    int status = copy ? parse_set(c, &filter, copy) : 0;
    filter.limit = 0;
    int err = status ? 0 : query_traces(v->db, &filter, take, c);
    free(copy);
    if (err)
        return options_trouble("cannot read the store: %s",
                               err == -ENOMEM ? strerror(ENOMEM)
                                              : query_error(v->db));
    return status;
}

static int choose_one(struct view *v, struct chosen *c)
{
    struct query_trace t = {0};
    int status = view_choose(v, c->side->text, &t);
    int err = status ? 0 : take(c, &t);
    if (err)
        return options_trouble("%s", strerror(-err));
    if (!status && c->side->still_open)
        return options_trouble("trace %.8s still runs: what it takes is not "
                               "known yet",
                               c->side->text);
    return status;
}

int compare_choose(struct view *v, const char *text, int64_t most,
                   struct compare_side *out)
{
    struct chosen c = {.view = v, .side = out, .most = most};
    *out = (struct compare_side){.text = text};
    bool is_set = !text || strchr(text, '=');
    int status = is_set ? choose_set(v, &c) : choose_one(v, &c);
    if (!status && out->count == 0) {
        options_trouble("no run that has ended matches %s%s%s",
                        text ? "'" : "side A", text ? text : "",
                        text ? "'" : "");
        return EXIT_FOUND;
    }
    return status;
}
