/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cxx_variant.h. What D0 and D1 do beside the destructor's own work is
 * behind it and without condition, so one call or jump to another variant,
 * wherever it stands, shows that every call comes there; and so it is where gcc
 * made one function of all variants (C4, D4), which callers may know, too.
 * Where that was inlined there is none, and the variant is a function of its
 * own.
 */
#include "shim/plan/names/cxx_variant.h"
#include <string.h>

enum {
    NAME_MAX_BYTES = 2048,
};

struct sibling {
    const struct plan_image *image;
    const char *name;
    uint64_t vaddr;
};

static bool is_slot_of(const struct sibling *to, uint64_t vaddr)
{
    struct plan_slot slot;
    return plan_image_find_slot(to->image, vaddr, &slot) == 0 &&
           ((slot.name && strcmp(slot.name, to->name) == 0) ||
            (slot.is_defined_here && slot.definition == to->vaddr));
}

static uint64_t target_of(const uint8_t *field, uint64_t next)
{
    int32_t distance;
    memcpy(&distance, field, sizeof distance);
    return next + (uint64_t)(int64_t)distance;
}

/* An entry of the PLT: endbr64, bnd jmp *slot(%rip). */
static bool is_stub_of(const struct sibling *to, uint64_t vaddr)
{
    const uint8_t *bytes = plan_image_at(to->image, vaddr, 11);
    uint64_t at = 0;
    if (!bytes)
        return false;
    if (memcmp(bytes, "\xf3\x0f\x1e\xfa", 4) == 0)
        at += 4;
    if (bytes[at] == 0xf2)
        at++;
    return memcmp(bytes + at, "\xff\x25", 2) == 0 &&
           is_slot_of(to, target_of(bytes + at + 2, vaddr + at + 6));
}

static bool calls(const struct sibling *to, uint64_t vaddr, uint64_t end)
{
    uint64_t len = end - vaddr;
    const uint8_t *bytes = plan_image_at(to->image, vaddr, len);
    for (uint64_t i = 0; bytes && i + 2 <= len; i++) {
        uint64_t next = vaddr + i + 5;
        bool is_direct = i + 5 <= len && (bytes[i] == 0xe8 || bytes[i] == 0xe9);
        uint64_t target = is_direct ? target_of(bytes + i + 1, next) : 0;
        if (is_direct && (target == to->vaddr || is_stub_of(to, target)))
            return true;
        if (bytes[i] == 0xeb &&
            next - 3 + (uint64_t)(int64_t)(int8_t)bytes[i + 1] == to->vaddr)
            return true;
        if (i + 6 <= len && bytes[i] == 0xff &&
            (bytes[i + 1] == 0x15 || bytes[i + 1] == 0x25) &&
            is_slot_of(to, target_of(bytes + i + 2, next + 1)))
            return true;
    }
    return false;
}

/* ---- which variant ------------------------------------------------------- */

/* Behind an identifier, a substitution, or one letter of a mangled name. */
static const char *next_part(const char *at)
{
    size_t len = 0;
    if (*at == 'S' || *at == 'T') {
        size_t end = 1 + strspn(at + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        return at[end] == '_' ? at + end + 1 : at + 1 + (at[1] != 0);
    }
    for (; *at >= '0' && *at <= '9' && len < NAME_MAX_BYTES; at++)
        len = len * 10 + (size_t)(*at - '0');
    if (len == 0)
        return at + (*at != 0);
    while (len-- && *at)
        at++;
    return at;
}

/* "C1E...", "C1I..." of a template, or "CI1..." of an inherited one, in
 * "_ZN1t1VC1Ei"; NULL: no constructor or destructor. `digit`: which variant. */
static const char *find_mark(const char *name, const char **digit)
{
    if (strncmp(name, "_ZN", 3) != 0)
        return NULL;
    for (const char *at = name + 3; *at; at = next_part(at)) {
        bool is_inherited = at[0] == 'C' && at[1] == 'I';
        *digit = at + 1 + is_inherited;
        if ((*at == 'C' || *at == 'D') && **digit >= '0' && **digit <= '4' &&
            (is_inherited || at[2] == 'E' || (*at == 'C' && at[2] == 'I')))
            return at;
    }
    return NULL;
}

/* Does `symbol`, which ends at `end`, call the variant of that name? */
static bool is_passed_to(const struct plan_image *image,
                         const struct plan_symbol *symbol, const char *name,
                         uint64_t end)
{
    struct plan_symbol other;
    struct sibling to = {.image = image, .name = name};
    if (plan_image_find_symbol(image, name, &other) != 0 ||
        other.vaddr == symbol->vaddr || other.vaddr == 0)
        return false;
    to.vaddr = other.vaddr;
    return calls(&to, symbol->vaddr, end);
}

bool variant_passes_on(const struct plan_image *image,
                       const struct plan_symbol *symbol, bool is_local_meant)
{
    char name[NAME_MAX_BYTES];
    uint64_t end;
    const char *digit, *mark = find_mark(symbol->name, &digit);
    size_t len = strlen(symbol->name);
    if (!mark || len >= sizeof name ||
        plan_image_function_extent(image, symbol->vaddr, &end) < 0)
        return false;
    memcpy(name, symbol->name, len + 1);
    char *variant = &name[digit - symbol->name];
    /* D0 and D1 call D1 and D2; each of them, C1 and C2 what gcc makes of all
     */
    char last = *mark == 'D' && *variant < '2' ? '2' : *variant;
    while (++*variant <= last)
        if (is_passed_to(image, symbol, name, end))
            return true;
    *variant = '4';
    return is_local_meant && *digit < '4' &&
           is_passed_to(image, symbol, name, end);
}

/* ---- hidden parameters --------------------------------------------------- */

/* A symbol of its class: "_ZTT" of "_ZN1t1VC1Ei" is _ZTTN1t1VE, of "_ZN1VC1Ei"
 * _ZTT1V. */
static bool find_of_class(const struct plan_image *image, const char *prefix,
                          const char *class, size_t len,
                          struct plan_symbol *found)
{
    char name[NAME_MAX_BYTES];
    size_t n = strlen(prefix);
    if (n + len + 3 > sizeof name)
        return false;
    memcpy(name, prefix, n);
    name[n] = 'N';
    memcpy(name + n + 1, class, len);
    memcpy(name + n + 1 + len, "E", 2);
    if (plan_image_find_symbol(image, name, found) == 0)
        return true;
    memmove(name + n, name + n + 1, len);
    name[n + len] = 0;
    return plan_image_find_symbol(image, name, found) == 0;
}

/* The variant for whole objects is the same code only where nothing is added
 * to either. */
static bool is_same_as_whole(const struct plan_image *image, const char *name,
                             const char *digit, uint64_t vaddr)
{
    char whole[NAME_MAX_BYTES];
    struct plan_symbol found;
    size_t len = strlen(name);
    if (len >= sizeof whole)
        return false;
    memcpy(whole, name, len + 1);
    whole[digit - name] = '1';
    return plan_image_find_symbol(image, whole, &found) == 0 &&
           found.vaddr == vaddr;
}

enum variant_hidden variant_hidden(const struct plan_image *image,
                                   const char *name, uint64_t vaddr)
{
    enum {
        TYPEINFO_WITHOUT_BASES = 16 /* bytes */
    };
    struct plan_symbol found;
    const char *digit, *mark = find_mark(name, &digit);
    const char *class = name + 3;
    if (!mark || *digit < '2')
        return VARIANT_PLAIN;
    size_t len = (size_t)(mark - class);
    if (*digit == '4' || find_of_class(image, "_ZTT", class, len, &found))
        return VARIANT_HIDDEN;
    if (is_same_as_whole(image, name, digit, vaddr) ||
        (find_of_class(image, "_ZTI", class, len, &found) &&
         found.size_bytes == TYPEINFO_WITHOUT_BASES))
        return VARIANT_PLAIN;
    return VARIANT_UNKNOWN;
}
