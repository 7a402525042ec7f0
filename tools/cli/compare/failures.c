/* SPDX-License-Identifier: Apache-2.0 */
/* What failed on each side, which programs and libraries differ, and the end of
 * a comparison; see compare.h. */
#include "tools/cli/compare/compare.h"
#include "tools/cli/screen/error_screen.h"
#include "tools/query/detail.h"
#include "tools/query/errors.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- failures ------------------------------------------------------------ */

static struct compare_error *error_of(struct compare *c,
                                      const struct query_group *g)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s: ", g->handler ? g->handler : "?");
    error_screen_title(g, &text);
    struct compare_error *found = NULL;
    for (size_t i = 0; i < c->error_count && !found; i++)
        if (strcmp(c->error[i].text, buf_get(&text)) == 0 &&
            strcmp(c->error[i].id, g->id) == 0)
            found = &c->error[i];
    if (!found && c->error_count == c->error_cap) {
        size_t cap = c->error_cap ? c->error_cap * 2 : 16;
        void *grown = realloc(c->error, cap * sizeof *c->error);
        if (grown) {
            c->error = grown;
            c->error_cap = cap;
        }
    }
    if (!found && c->error_count < c->error_cap) {
        found = &c->error[c->error_count];
        *found = (struct compare_error){.text = strdup(buf_get(&text)),
                                        .id = strdup(g->id)};
        c->error_count += found->text && found->id;
        found = found->text && found->id ? found : NULL;
    }
    buf_free(&text);
    return found;
}

int compare_failures(struct view *v, struct compare *c, int side, size_t at)
{
    struct query_groups groups = {0};
    struct query_filter any = {.pid = -1};
    int64_t trace = c->side[side].trace[at].trace;
    int err = query_groups_load(v->db, &any, trace, NULL, &groups);
    for (size_t i = 0; i < groups.count && !err; i++) {
        struct compare_error *e = error_of(c, &groups.group[i]);
        if (!e) {
            err = -ENOMEM;
            break;
        }
        e->count[side] += groups.group[i].count;
        e->runs[side]++;
    }
    query_groups_free(&groups);
    return err;
}

/* ---- programs and libraries ---------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static struct compare_object *object_of(struct compare *c, const char *path)
{
    for (size_t i = 0; i < c->object_count; i++)
        if (strcmp(base_of(c->object[i].path), base_of(path)) == 0)
            return &c->object[i];
    if (c->object_count == c->object_cap) {
        size_t cap = c->object_cap ? c->object_cap * 2 : 16;
        void *grown = realloc(c->object, cap * sizeof *c->object);
        if (!grown)
            return NULL;
        c->object = grown;
        c->object_cap = cap;
    }
    struct compare_object *o = &c->object[c->object_count];
    *o = (struct compare_object){.path = strdup(path)};
    c->object_count += o->path != NULL;
    return o->path ? o : NULL;
}

int compare_objects(struct compare *c, int side, const struct query_detail *d)
{
    for (size_t i = 0; i < d->site_count; i++) {
        const struct query_site *s = &d->sites[i];
        if (!s->object || !s->build_id || s->object[0] == 0)
            continue;
        struct compare_object *o = object_of(c, s->object);
        if (!o)
            return -ENOMEM;
        char **id = &o->build_id[side];
        o->is_mixed |= *id && strcmp(*id, s->build_id) != 0;
        if (!*id && !(*id = strdup(s->build_id)))
            return -ENOMEM;
    }
    return 0;
}

/* ---- the end ------------------------------------------------------------- */

void compare_free(struct compare *c)
{
    for (size_t i = 0; i < c->row_count; i++) {
        free(c->row[i].name);
        free(c->row[i].run[COMPARE_A]);
        free(c->row[i].run[COMPARE_B]);
    }
    for (size_t i = 0; i < c->error_count; i++) {
        free(c->error[i].text);
        free(c->error[i].id);
    }
    for (size_t i = 0; i < c->object_count; i++) {
        free(c->object[i].path);
        free(c->object[i].build_id[COMPARE_A]);
        free(c->object[i].build_id[COMPARE_B]);
    }
    for (int side = 0; side < COMPARE_SIDES; side++) {
        struct compare_side *s = &c->side[side];
        for (size_t i = 0; i < s->count; i++)
            query_trace_free(&s->trace[i]);
        free(s->trace);
        free(s->wall_ns);
    }
    free(c->whole.run[COMPARE_A]);
    free(c->whole.run[COMPARE_B]);
    free(c->row);
    free(c->error);
    free(c->object);
    *c = (struct compare){0};
}
