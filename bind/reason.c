/* SPDX-License-Identifier: Apache-2.0 */
/* See reason.h. */
#include "bind/reason.h"
#include "bind/names.h"
#include <string.h>

const char bind_no_object[] = "no object '";
const char bind_no_symbol[] = "no such symbol in ";
const char bind_no_spans[] = "makes no spans: its calls are not counted";

struct out {
    char *bytes;
    size_t len, cap;
};

static void put(struct out *out, const char *text)
{
    size_t len = strlen(text), room = out->cap - out->len - 1;
    len = len < room ? len : room;
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    out->bytes[out->len] = '\0';
}

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
    put(out, at);
}

static void put_where(struct out *out, const struct bind_facts *facts)
{
    if (facts->objects == 1 && facts->one) {
        put(out, facts->one);
        return;
    }
    put_count(out, facts->objects);
    put(out, " objects");
}

static void put_too_many(struct out *out, const struct bind_facts *facts)
{
    put_count(out, facts->matches);
    put(out, " functions match, more than ");
    put_count(out, facts->match_max);
    put(out, facts->match_max == PLAN_HANDLERS_MAX
                 ? " that there is room for: narrow the glob"
                 : ": narrow the glob, or raise HANDSPAN_MATCH_MAX");
}

static void put_not_found(struct out *out, const struct manifest_decl *decl,
                          const struct bind_facts *facts)
{
    bool is_name = bind_exact_name(decl) != NULL;
    put(out, decl->match ? "no symbol in " : bind_no_symbol);
    put_where(out, facts);
    if (decl->match)
        put(out, " matches");
    if (decl->file) {
        put(out, ", of a file ");
        put(out, decl->file);
    }
    if ((is_name || decl->match) && facts->is_stripped && facts->objects == 1)
        put(out, " (it is stripped: static functions have no names)");
    if ((bind_readable_name(decl) || bind_readable_glob(decl)) &&
        !facts->has_demangler)
        put(out, "; if it is C++: libhandspan-demangle.so is missing, write "
                 "the mangled name");
}

size_t bind_reason_none(const struct manifest_decl *decl,
                        const struct bind_facts *facts, char *bytes,
                        size_t cap_bytes)
{
    struct out out = {bytes, 0, cap_bytes};
    *bytes = '\0';
    if (decl->disabled) {
        put(&out, "the manifest has an error here");
    } else if (facts->matches > facts->match_max) {
        put_too_many(&out, facts);
    } else if (facts->objects == 0 && facts->is_other_build) {
        put(&out, "the object is there, but has another build id");
    } else if (facts->objects == 0) {
        put(&out, bind_no_object);
        put(&out, decl->object->pattern ? decl->object->pattern : "");
        put(&out, "' was loaded");
    } else if (decl->has_at) {
        put(&out, "no function starts at that address");
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
