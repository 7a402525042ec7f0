/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a tree, each text once; see tree_internal.h. */
#include "tools/query/tree_internal.h"
#include <stdlib.h>
#include <string.h>

static size_t hash_of(const char *text)
{
    uint64_t x = 0xcbf29ce484222325ULL;
    for (; *text; text++)
        x = (x ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (size_t)(x ^ x >> 32);
}

static const char **slot_of(const char **slots, size_t count, const char *name)
{
    size_t at = hash_of(name) & (count - 1);
    while (slots[at] && strcmp(slots[at], name) != 0)
        at = (at + 1) & (count - 1);
    return &slots[at];
}

static bool grow(struct tree_names *n)
{
    size_t count = n->slot_count ? n->slot_count * 2 : 64;
    const char **slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < n->slot_count; i++)
        if (n->slots[i])
            *slot_of(slots, count, n->slots[i]) = n->slots[i];
    free(n->slots);
    n->slots = slots;
    n->slot_count = count;
    return true;
}

const char *query_tree_name(struct tree_names *n, const char *name)
{
    if (n->count * 2 >= n->slot_count && !grow(n))
        return NULL;
    const char **slot = slot_of(n->slots, n->slot_count, name);
    if (!*slot) {
        *slot = name;
        n->count++;
    }
    return *slot;
}

/* The site's index, mostly as far from the last one's as their numbers are. */
static size_t find_site(struct tree_names *n, const struct query_detail *d,
                        int64_t session, int64_t site)
{
    int64_t far;
    if (n->last_site < d->site_count &&
        !__builtin_sub_overflow(site, d->sites[n->last_site].site, &far) &&
        far >= -(int64_t)n->last_site &&
        far < (int64_t)(d->site_count - n->last_site)) {
        const struct query_site *guess =
            &d->sites[(size_t)((int64_t)n->last_site + far)];
        if (guess->session == session && guess->site == site)
            return (size_t)(guess - d->sites);
    }
    const struct query_site *found = query_site_find(d, session, site);
    return found ? (size_t)(found - d->sites) : d->site_count;
}

const char *query_tree_site_name(struct tree_names *n,
                                 const struct query_detail *d, int64_t session,
                                 int64_t site)
{
    size_t at = find_site(n, d, session, site);
    if (!n->of_site)
        n->of_site = calloc(d->site_count + 1, sizeof *n->of_site);
    if (!n->of_site)
        return NULL;
    n->last_site = at;
    if (!n->of_site[at]) {
        const char *name = at < d->site_count ? d->sites[at].name : NULL;
        n->of_site[at] = query_tree_name(n, name ? name : "?");
    }
    return n->of_site[at];
}

void query_tree_names_free(struct tree_names *n)
{
    free(n->slots);
    free(n->of_site);
    *n = (struct tree_names){0};
}
