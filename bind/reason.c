/* SPDX-License-Identifier: Apache-2.0 */
/* See reason.h. */
#include "bind/reason.h"
#include "bind/out.h"
#include "bind/names.h"
#include "shim/plan/names/cxx_variant.h"
#include <string.h>

const char bind_no_object[] = "no object '";
const char bind_no_symbol[] = "no such symbol in ";
const char bind_too_many[] = " functions match, more than ";
const char bind_no_spans[] = "makes no spans: its calls are not counted";

/* 12,345 */
static void put_count(struct out *out, uint32_t n)
{
    char digits[16], *at = digits + sizeof(digits);
    *--at = '\0';
    for (unsigned i = 0; i == 0 || n > 0; i++, n /= 10) {
        if (i > 0 && i % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + n % 10);
    }
    out_put(out, at);
}

static void put_where(struct out *out, const struct bind_facts *facts)
{
    if (facts->objects == 1 && facts->one) {
        out_put(out, facts->one);
        return;
    }
    put_count(out, facts->objects);
    out_put(out, " objects");
}

static void put_too_many(struct out *out, const struct bind_facts *facts)
{
    put_count(out, facts->matches);
    out_put(out, bind_too_many);
    put_count(out, facts->match_max);
    out_put(out, facts->match_max == PLAN_HANDLERS_MAX
                     ? " that there is room for: the first ones are traced; "
                       "narrow the glob"
                     : ": the first ones are traced; narrow the glob, or raise "
                       "HANDSPAN_MATCH_MAX");
}

/* "ns::f", "f<int>": only with its parameters it is a name of C++. */
static bool is_cxx_alone(const struct manifest_decl *decl)
{
    return !decl->match && !decl->symbol && !decl->has_prototype &&
           decl->ident &&
           (strchr(decl->ident, ':') || strchr(decl->ident, '<'));
}

static void put_not_found(struct out *out, const struct manifest_decl *decl,
                          const struct bind_facts *facts)
{
    bool is_name = bind_exact_name(decl) != NULL;
    out_put(out, decl->match ? "no symbol in " : bind_no_symbol);
    put_where(out, facts);
    if (decl->match)
        out_put(out, " matches");
    if (decl->file) {
        out_put(out, ", of a file ");
        out_put(out, decl->file);
    }
    if ((is_name || decl->match) && facts->is_stripped && facts->objects == 1)
        out_put(out, " (it is stripped: static functions have no names)");
    if (is_cxx_alone(decl))
        out_put(out, "; write it with its parameters, as nm -C prints it");
    if ((bind_readable_name(decl) || bind_readable_glob(decl)) &&
        !facts->has_demangler)
        out_put(out,
                "; if it is C++: libhandspan-demangle.so is missing, write "
                "the mangled name");
}

size_t bind_reason_none(const struct manifest_decl *decl,
                        const struct bind_facts *facts, char *bytes,
                        size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes};
    *bytes = '\0';
    if (decl->disabled) {
        out_put(&out, "the manifest has an error here");
    } else if (facts->matches > facts->match_max) {
        put_too_many(&out, facts);
    } else if (facts->objects == 0 && facts->is_other_build) {
        out_put(&out, "the object is there, but has another build id");
    } else if (facts->objects == 0) {
        out_put(&out, bind_no_object);
        out_put(&out, decl->object->pattern ? decl->object->pattern : "");
        out_put(&out, "' was loaded");
    } else if (decl->has_at) {
        out_put(&out, "no function starts at that address");
    } else {
        put_not_found(&out, decl, facts);
    }
    return out.len;
}

bool bind_is_hopeless(enum plan_verdict verdict)
{
    return verdict == PLAN_NO_FUNCTION || verdict == PLAN_IFUNC_RESOLVER ||
           verdict == PLAN_ASSEMBLY || verdict == PLAN_GO ||
           verdict == PLAN_EXCLUDED || verdict == PLAN_THUNK ||
           verdict == PLAN_PART || verdict == PLAN_NO_UNWIND ||
           verdict == PLAN_PROFILED || verdict == PLAN_COLLECTED;
}

const char *bind_reason_other(const struct manifest_decl *decl,
                              const struct plan_image *image,
                              const char *object_basename, const char *symbol,
                              uint64_t vaddr)
{
    const char *why;
    if (manifest_decl_other(decl, object_basename, vaddr, &why))
        return why;
    bool is_meant = decl->symbol && strcmp(decl->symbol, symbol) == 0;
    if (is_meant || !image || decl->param_count < 2) /* `this` comes first */
        return NULL;
    switch (variant_hidden(image, symbol, vaddr)) {
    case VARIANT_HIDDEN:
        return "the compiler added parameters, for virtual bases";
    case VARIANT_UNKNOWN:
        return "without debug information it is not known whether the compiler "
               "added parameters, for virtual bases";
    default:
        return NULL;
    }
}
