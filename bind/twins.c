/* SPDX-License-Identifier: Apache-2.0 */
/* See twins.h. */
#include "bind/twins.h"
#include "bind/out.h"
#include "bind/names.h"
#include <string.h>

enum {
    TOLD_MAX = 3,
    /* of a name: what is told of a function has room for 255 bytes in all */
    HEAD_BYTES = 20,
    TAIL_BYTES = 12,
};

struct twins {
    const char *name;
    const char *told[TOLD_MAX];
    unsigned count;
    bool is_exported; /* then only others that are: a run that needs no other
                         name of the object does not read its file */
};

/* The name without what does not make another function of it: underscores
 * before it, version and suffixes behind it. */
static const char *core_of(const char *name, size_t *len)
{
    if (strncmp(name, "_Z", 2) != 0 && strncmp(name, "_R", 2) != 0)
        name += strspn(name, "_");
    *len = 0;
    while (name[*len] && name[*len] != '@' && name[*len] != '.')
        ++*len;
    return name;
}

/* Constructors and destructors of a class: C1, C2, D1, D2 among equal letters.
 */
static bool is_letter_of_kind(const char *a, const char *b, size_t at)
{
    return at > 0 && a[at] >= '0' && a[at] <= '4' && b[at] >= '0' &&
           b[at] <= '4' && (a[at - 1] == 'C' || a[at - 1] == 'D');
}

static bool is_same(const char *one, const char *other)
{
    size_t a_len, b_len;
    const char *a = core_of(one, &a_len), *b = core_of(other, &b_len);
    if (a_len != b_len)
        return false;
    bool is_mangled = strncmp(a, "_Z", 2) == 0;
    for (size_t i = 0; i < a_len; i++)
        if (a[i] != b[i] && !(is_mangled && is_letter_of_kind(a, b, i)))
            return false;
    return true;
}

static int see(void *context, const struct plan_symbol *symbol)
{
    struct twins *twins = context;
    if (!symbol->is_function || is_same(symbol->name, twins->name) ||
        (twins->is_exported && !symbol->is_exported))
        return 0;
    for (unsigned i = 0; i < twins->count && i < TOLD_MAX; i++)
        if (is_same(symbol->name, twins->told[i]))
            return 0;
    if (twins->count < TOLD_MAX)
        twins->told[twins->count] = symbol->name;
    twins->count++;
    return 0;
}

/* "_ZN5arrow6Status8Fro...nCodeEDpOT_" */
static void put_short(struct out *out, const char *name)
{
    size_t len = strlen(name);
    char head[HEAD_BYTES + 1];
    if (len <= HEAD_BYTES + TAIL_BYTES + 3) {
        out_put(out, name);
        return;
    }
    memcpy(head, name, HEAD_BYTES);
    head[HEAD_BYTES] = '\0';
    out_put(out, head);
    out_put(out, "...");
    out_put(out, name + len - TAIL_BYTES);
}

size_t bind_twins_text(const struct plan_image *image, uint64_t vaddr,
                       const char *name, char *bytes, size_t cap_bytes)
{
    struct twins twins = {.name = name};
    struct plan_symbol own;
    struct out out = {bytes, 0, cap_bytes};
    bytes[0] = '\0';
    twins.is_exported =
        plan_image_find_dynamic(image, name, &own) == 0 && own.is_exported;
    (void)plan_image_each_at(image, vaddr, see, &twins);
    for (unsigned i = 0; i < twins.count && i < TOLD_MAX; i++) {
        out_put(&out, i ? ", " : "");
        put_short(&out, twins.told[i]);
    }
    if (twins.count > TOLD_MAX)
        out_put(&out, " and others");
    if (twins.count)
        out_put(&out, twins.count > 1
                          ? " have its address, too: their calls are "
                            "told as its"
                          : " has its address, too: its calls are "
                            "told as well");
    return out.len;
}
