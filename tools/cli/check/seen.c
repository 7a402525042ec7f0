/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites to declarations; see seen.h. A declaration is a file and a line. The
 * preload makes a site for each function of it, and one with a reason where
 * there is none; of several processes and sessions of a trace each has its own.
 */
#include "tools/cli/check/seen.h"
#include "bind/reason.h"
#include "bind/way.h"
#include "tools/cli/check/remark.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* Sites without a line (older traces) are declarations of their own. */
static int compare(const struct query_site *a, const struct query_site *b)
{
    int order = compare_texts(a->manifest, b->manifest);
    if (order == 0)
        order = (a->declaration > b->declaration) -
                (a->declaration < b->declaration);
    if (order == 0)
        order = compare_texts(a->declared, b->declared);
    return order;
}

static int compare_sites(const void *a, const void *b)
{
    const struct query_site *const *x = a, *const *y = b;
    int order = compare(*x, *y);
    if (order == 0)
        order = compare_texts((*x)->object, (*y)->object);
    if (order == 0)
        order =
            ((*x)->address > (*y)->address) - ((*x)->address < (*y)->address);
    if (order == 0)
        order =
            ((*x)->session > (*y)->session) - ((*x)->session < (*y)->session);
    return order ? order
                 : ((*x)->site > (*y)->site) - ((*x)->site < (*y)->site);
}

static bool is_bound(const struct query_site *s)
{
    return s->binding && strcmp(s->binding, "none") != 0;
}

/* The preload's words for a function that an earlier declaration has. */
static bool is_twice(const struct query_site *s)
{
    return !is_bound(s) && s->reason &&
           strncmp(s->reason, bind_twice, strlen(bind_twice)) == 0;
}

static void add_calls(const struct query_detail *d, const struct query_site *s,
                      struct seen *out)
{
    for (size_t i = 0; i < d->rollup_count; i++) {
        const struct query_rollup *r = &d->rollups[i];
        if (r->session != s->session || r->site != s->site)
            continue;
        out->calls += r->calls;
        out->errors += r->errors;
    }
}

/* The preload's words for what makes no span: its calls are not counted. */
static bool is_uncounted(const struct query_site *s)
{
    return s->reason && strstr(s->reason, bind_no_spans);
}

static bool has_times_only(const struct query_site *s)
{
    return s->reason && strstr(s->reason, bind_times_only);
}

/* What the sites of a declaration come to. */
struct whole {
    bool is_bound;  /* somewhere */
    bool has_cause; /* why not, other than that an object never came */
    size_t twice;   /* functions that earlier declarations have */
    size_t times;   /* functions that are bound without values */
};

static bool is_absent(const struct query_site *s)
{
    return s->reason &&
           strncmp(s->reason, bind_no_object, strlen(bind_no_object)) == 0;
}

/* Not all functions of a glob are traced. */
static bool is_cut(const struct query_site *s)
{
    return !is_bound(s) && s->reason && strstr(s->reason, bind_too_many);
}

static void look(const struct query_site *s, struct whole *whole)
{
    whole->is_bound |= is_bound(s) || is_twice(s);
    whole->has_cause |= !is_bound(s) && !is_absent(s);
}

/* A function that one object or process lacks is no news of a declaration that
 * is bound in another; nor that its object was not there at the start, if it
 * came. */
static bool is_overtaken(const struct query_site *s, const struct whole *whole)
{
    return !is_bound(s) && s->address < 0 && !is_twice(s) && !is_cut(s) &&
           (whole->is_bound || (whole->has_cause && is_absent(s)));
}

static void add_site(const struct query_detail *d, const struct query_site *s,
                     struct seen *out)
{
    out->is_known &= !is_bound(s) || s->unseen;
    if (is_bound(s)) {
        if (!out->first || !is_bound(out->first))
            out->first = s;
        out->ways |=
            strcmp(s->binding, "slots") == 0 ? BINDING_SLOTS : BINDING_ENTRY;
        add_calls(d, s, out);
        out->is_counted |= !is_uncounted(s);
        out->calls += s->open;
        out->open += s->open;
    }
    out->first = out->first ? out->first : s;
    if ((s->unseen && *s->unseen) || is_cut(s))
        out->status = BINDING_PART;
}

/* The same site of several processes says the same. */
static void say(const struct query_site *s, const char *what, const char *text,
                struct seen *out)
{
    struct buf prefix;
    buf_init(&prefix, 4096);
    if (remark_is_many(s->declared, s->symbol))
        buf_printf(&prefix, "%s: ", s->symbol);
    buf_text(&prefix, what);
    if (text && *text)
        remark_add(&out->remark, buf_get(&prefix), text);
    buf_free(&prefix);
}

static void say_reason(const struct query_site *s, struct seen *out)
{
    bool is_inlined = !is_bound(s) && s->unseen && *s->unseen;
    if (!is_inlined)
        say(s, "", s->reason, out);
}

/* One function as every process of the trace has it: `n` sites. */
static void add_function(const struct query_site *const *sites, size_t n,
                         struct seen *out, struct whole *whole)
{
    const struct query_site *bound = NULL;
    size_t twices = 0, bounds = 0;
    for (size_t i = 0; i < n; i++) {
        twices += is_twice(sites[i]);
        bounds += is_bound(sites[i]);
        bound = is_bound(sites[i]) ? sites[i] : bound;
    }
    out->functions++;
    out->bound += bound != NULL;
    whole->twice += !bound && twices == n;
    if (bound && bounds + twices < n)
        out->status = BINDING_PART; /* not in all of them */
    if (!bound)
        return;
    whole->times += has_times_only(bound);
    bool is_frame = bound->shim && strcmp(bound->shim, "frame") == 0;
    out->frame_count += is_frame;
    out->zero_copy_count += !is_frame;
}

/* Those with an address are told in the order of functions. */
static void add_functions(const struct query_site *const *sites, size_t count,
                          struct seen *out, struct whole *whole)
{
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1;
             i + n < count && sites[i + n]->address == sites[i]->address &&
             compare_texts(sites[i + n]->object, sites[i]->object) == 0;
             n++)
            ;
        if (sites[i]->address >= 0 || is_twice(sites[i]))
            add_function(sites + i, n, out, whole);
    }
}

static void conclude(struct seen *s, const struct whole *whole)
{
    if (s->bound == 0)
        s->status = whole->twice && whole->twice == s->functions ? BINDING_TWICE
                                                                 : BINDING_NONE;
    else if (s->status == BINDING_PART ||
             s->bound + whole->twice < s->functions || s->ways & BINDING_SLOTS)
        s->status = BINDING_PART;
    else if (whole->times == s->bound)
        s->status = BINDING_TIMES;
    else
        s->status = BINDING_OK;
}

/* The sites of one declaration. */
static void load(const struct query_detail *d,
                 const struct query_site *const *sites, size_t n,
                 struct seen *s)
{
    struct whole whole = {0};
    *s = (struct seen){.status = BINDING_OK, .is_known = true};
    buf_init(&s->remark, 4096);
    for (size_t i = 0; i < n; i++)
        look(sites[i], &whole);
    for (size_t i = 0; i < n; i++) {
        if (is_overtaken(sites[i], &whole))
            continue;
        add_site(d, sites[i], s);
        say_reason(sites[i], s);
    }
    add_functions(sites, n, s, &whole);
    for (size_t i = 0; i < n; i++)
        if (!is_overtaken(sites[i], &whole))
            say(sites[i], is_bound(sites[i]) ? "not seen: " : "",
                sites[i]->unseen, s);
    conclude(s, &whole);
}

int seen_load(const struct query_detail *d, struct seen_list *out)
{
    const struct query_site **sites = calloc(d->site_count + 1, sizeof(void *));
    *out = (struct seen_list){calloc(d->site_count + 1, sizeof *out->at), 0};
    if (!sites || !out->at) {
        free(sites);
        free(out->at);
        return -ENOMEM;
    }
    for (size_t i = 0; i < d->site_count; i++)
        sites[i] = &d->sites[i];
    qsort(sites, d->site_count, sizeof *sites, compare_sites);
    for (size_t i = 0, n; i < d->site_count; i += n) {
        for (n = 1;
             i + n < d->site_count && compare(sites[i], sites[i + n]) == 0; n++)
            ;
        load(d, sites + i, n, &out->at[out->count++]);
    }
    free(sites);
    return 0;
}

void seen_free(struct seen_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_free(&list->at[i].remark);
    free(list->at);
    *list = (struct seen_list){0};
}

const char *seen_name(const struct seen *s)
{
    const struct query_site *site = s->first;
    if (remark_is_many(site->declared, site->symbol) && s->functions != 1)
        return site->declared;
    return site->name && *site->name ? site->name
           : site->declared          ? site->declared
                                     : "?";
}
