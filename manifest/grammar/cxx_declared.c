/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "int ns::f(const char *text, int n) const": a function of C++ as a header
 * has it, told as a demangler does, "ns::f(char const*, int) const", for where
 * no debug information says which function that is.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

enum {
    READABLE_BYTES = 1000
};

struct declared {
    char text[READABLE_BYTES + 1];
    size_t len;
    bool is_cut;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void put(struct declared *d, const char *text, size_t len)
{
    if (len > READABLE_BYTES - d->len) {
        d->is_cut = true;
        return;
    }
    memcpy(d->text + d->len, text, len);
    d->len += len;
}

static bool takes_word(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len > n && memcmp(text, word, n) == 0 && is_blank(text[n]);
}

/* One parameter without its name: "const T *" is "T const*", and of a value no
 * demangler tells that it is const. */
static void put_param(struct declared *d, const char *text, size_t len)
{
    bool is_const = false;
    for (;; text++, len--) {
        if (takes_word(text, len, "const")) {
            is_const = true;
            text += 5;
            len -= 5;
        } else if (takes_word(text, len, "struct")) {
            text += 6;
            len -= 6;
        } else if (!len || !is_blank(*text)) {
            break;
        }
    }
    while (len && is_blank(text[len - 1]))
        len--;
    size_t base = 0;
    int depth = 0;
    for (; base < len; base++) {
        depth += (text[base] == '<') - (text[base] == '>');
        if (depth == 0 && (text[base] == '*' || text[base] == '&'))
            break;
    }
    size_t whole = base;
    while (base && is_blank(text[base - 1]))
        base--;
    put(d, text, base);
    if (is_const && whole < len)
        put(d, " const", 6);
    put(d, text + whole, len - whole);
}

/* From behind the open parenthesis to the one that closes. */
static void put_params(struct declared *d, const char *text, size_t len,
                       const struct type *function, uint32_t offset)
{
    char one[READABLE_BYTES];
    size_t n = 0;
    uint32_t name = 0;
    int depth = 0;
    for (size_t at = 0; at < len; at++) {
        while (name < function->param_count && !function->names[name].length)
            name++;
        if (name < function->param_count &&
            function->names[name].offset == offset + at) {
            at += function->names[name++].length - 1;
            continue;
        }
        char c = text[at];
        if (depth == 0 && (c == ',' || c == ')')) {
            bool is_void = n == 4 && memcmp(one, "void", 4) == 0;
            put_param(d, one, is_void ? 0 : n);
            if (c == ')')
                return;
            put(d, ", ", 2);
            n = 0;
            continue;
        }
        depth += (strchr("<([", c) != NULL) - (strchr(">)]", c) != NULL);
        if (n < sizeof one)
            one[n++] = c;
        else
            d->is_cut = true;
    }
}

const char *declared_qualifiers(struct parser *p, const struct declaration *d)
{
    struct manifest_cxx_name at;
    const char *text = d->at.src->text + d->at.offset;
    size_t len = p->tok_end - d->at.offset;
    if (!d->type || p->tok_end < d->at.offset ||
        !manifest_cxx_name(text, len, &at))
        return "";
    text += at.behind;
    len = manifest_cxx_qualifiers(text, len - at.behind);
    return len ? parser_copy(p, text, len) : "";
}

const char *declared_readable(struct parser *p, const struct declaration *d,
                              const char *qualifiers)
{
    struct declared out = {.len = 0};
    uint32_t from = d->at.offset + d->at.length;
    const char *text = d->at.src->text;
    while (from < p->tok_end && text[from] != '(')
        from++;
    if (from >= p->tok_end || !d->ident || d->type->kind != MANIFEST_FUNCTION)
        return NULL;
    put(&out, d->ident, strlen(d->ident));
    put(&out, "(", 1);
    put_params(&out, text + from + 1, p->tok_end - from - 1, type_of(d->type),
               from + 1);
    put(&out, ")", 1);
    put(&out, qualifiers, strlen(qualifiers));
    return out.is_cut ? NULL : parser_copy(p, out.text, out.len);
}
