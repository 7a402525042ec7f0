/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as JSON lines; see compare.h. */
#include "tools/cli/compare/compare.h"
#include "tools/cli/screen/share.h"
#include "tools/common/text/json.h"
#include <errno.h>
#include <stdio.h>

static void add_number(struct cJSON *to, const char *key, double n, bool is)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", n);
    json_raw(to, key, is ? text : NULL, "null");
}

static struct cJSON *figures(const struct compare_figures *f)
{
    struct cJSON *o = json_object();
    json_count(o, "calls", f->is_seen ? f->calls : 0);
    json_count(o, "errors", f->errors);
    json_count(o, "total_ns", f->total_ns);
    json_count(o, "self_ns", f->self_ns);
    json_count(o, "cpu_ns", f->cpu_ns);
    json_count(o, "wait_ns", f->wait_ns);
    json_count(o, "max_ns", f->max_ns);
    json_count(o, "p50_ns", f->p50_ns);
    json_count(o, "p95_ns", f->p95_ns);
    return o;
}

static void add_change(struct cJSON *o, const struct compare *c,
                       const struct compare_row *r)
{
    json_text(o, "verdict", compare_verdict_name(c, r));
    add_number(o, "p", r->p, c->is_tested && r->p >= 0);
    add_number(o, "ratio", r->ratio, r->ratio > 0);
    json_int(o, "change_ns", r->change_ns);
}

static int print_whole(const struct compare *c)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "diff");
    json_text(o, "by", c->is_by_path ? "path" : "handler");
    add_change(o, c, &c->whole);
    json_int(o, "wall_ns", c->whole.side[COMPARE_A].self_ns);
    json_int(o, "wall_b_ns", c->whole.side[COMPARE_B].self_ns);
    json_text(o, "test", c->is_tested ? "permutation" : NULL);
    json_count(o, "permutations", c->is_tested ? (int64_t)c->stated.count : -1);
    add_number(o, "spread", c->spread, !c->is_tested);
    for (int side = 0; side < COMPARE_SIDES; side++) {
        const struct compare_side *s = &c->side[side];
        struct cJSON *ids = json_array();
        for (size_t i = 0; i < s->count; i++)
            json_append_text(ids, s->trace[i].hex);
        json_object_add(o, side ? "traces_b" : "traces_a", ids);
    }
    return json_print(stdout, o);
}

static int print_row(const struct compare *c, const struct compare_row *r)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", c->is_by_path ? "path" : "handler");
    json_text(o, "name", r->name);
    add_change(o, c, r);
    add_number(o, "part", r->part, true);
    json_bool(o, "is_calls_changed", r->is_calls_changed);
    json_object_add(o, "a", figures(&r->side[COMPARE_A]));
    json_object_add(o, "b", figures(&r->side[COMPARE_B]));
    return json_print(stdout, o);
}

static int print_error(const struct compare_error *e)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "error");
    json_text(o, "group", e->id[0] ? e->id : NULL);
    json_text(o, "text", e->text);
    json_int(o, "count_a", e->count[COMPARE_A]);
    json_int(o, "count_b", e->count[COMPARE_B]);
    return json_print(stdout, o);
}

static int print_object(const struct compare *c, const struct compare_object *b)
{
    struct cJSON *o = json_object();
    json_text(o, "kind", "object");
    json_text(o, "object", b->path);
    json_text(o, "build_id_a", b->build_id[COMPARE_A]);
    json_text(o, "build_id_b", b->build_id[COMPARE_B]);
    json_bool(o, "is_changed", compare_is_other(c, b));
    return json_print(stdout, o);
}

int compare_print_json(const struct view *v, const struct compare *c)
{
    struct share_sum sum = {0};
    for (int side = 0; side < COMPARE_SIDES; side++)
        for (size_t i = 0; i < c->side[side].count; i++)
            share_sum_add(&sum, &c->side[side].trace[i]);
    int err = share_print_schema(stdout, v->db, &sum);
    if (!err)
        err = print_whole(c);
    for (size_t i = 0; i < c->row_count && !err; i++)
        err = print_row(c, &c->row[i]);
    for (size_t i = 0; i < c->error_count && !err; i++)
        err = print_error(&c->error[i]);
    for (size_t i = 0; i < c->object_count && !err; i++)
        err = print_object(c, &c->object[i]);
    return err;
}
