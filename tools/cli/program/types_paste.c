/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See types_paste.h. Symbols say the types of parameters in words; the
 * manifest has parsed them. Where both know a type, they must agree.
 */
#include "tools/cli/program/types_paste.h"
#include "bind/names.h"
#include "shim/plan/names/cxx_name.h"
#include "shim/plan/names/cxx_variant.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

enum {
    EXACT = 100000, /* said to the letter */
    SAID_BYTES = 4096
};

struct paste {
    const struct manifest_want *want;
    char *wanted_name, *wanted_params; /* spelling(); params may be NULL */
    char part[128];   /* that the symbol has; "": none need be there */
    char *qualifiers; /* behind its parameters; spelling() */
    bool is_clone;    /* what compilers made of it counts */
    const struct object *object;
    struct functions *out; /* the best */
    char *text;            /* their name */
    int score, ties;       /* of the best */
    char *buf;
    size_t buf_bytes;
};

static bool has_word(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++) {
        bool starts = i == 0 || !(isalnum((unsigned char)text[i - 1]) ||
                                  text[i - 1] == '_');
        bool ends = i + n == len || !(isalnum((unsigned char)text[i + n]) ||
                                      text[i + n] == '_');
        if (starts && ends && memcmp(text + i, word, n) == 0)
            return true;
    }
    return false;
}

static const char *last_part(const char *name)
{
    const char *last = name;
    for (const char *at = name; (at = strstr(at, "::"));)
        last = at += 2;
    return last;
}

/* The size of an integer in words; 0: none that we know. */
static uint64_t integer_size(const char *text, size_t len)
{
    static const struct {
        const char *word;
        uint64_t size;
    } sizes[] = {{"bool", 1}, {"char", 1}, {"short", 2},
                 {"long", 8}, {"int", 4},  {"unsigned", 4}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (has_word(text, len, sizes[i].word))
            return sizes[i].size;
    return 0;
}

/* -1: they contradict each other; else how sure it is. */
static int compare_param(const char *text, size_t len,
                         const struct manifest_type *type)
{
    while (len && text[len - 1] == ' ')
        len--;
    bool is_pointer = len && strchr("*&)]", text[len - 1]);
    if (manifest_is_member_pointer(type))
        return memmem(text, len, "::*", 3) ? 1 : -1;
    /* a class that has to be destroyed is a pointer to the parser */
    bool may_be_class =
        type->kind == MANIFEST_POINTER && type->to->kind == MANIFEST_RECORD;
    if (is_pointer != (type->kind == MANIFEST_POINTER) && !may_be_class)
        return -1;
    if (type->kind == MANIFEST_POINTER)
        type = type->to;
    if (type->kind == MANIFEST_INT || type->kind == MANIFEST_BOOL) {
        uint64_t size = integer_size(text, len);
        bool no_sign = has_word(text, len, "unsigned");
        return size == 0 ? 0
               : size != type->size_bytes ||
                       (type->kind == MANIFEST_INT && !type->is_char &&
                        !type->constant_count && no_sign == type->is_signed)
                   ? -1
                   : 1;
    }
    if (type->kind == MANIFEST_FLOAT)
        return has_word(text, len, "double") || has_word(text, len, "float")
                   ? 1
                   : -1;
    if (type->name && strncmp(type->name, "std::", 5) == 0)
        return has_word(text, len, "std") ? 1 : -1;
    if (!type->name || !isalpha((unsigned char)type->name[0]))
        return 0;
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(type->name, "<"),
             type->name);
    return has_word(text, len, last_part(name)) ? 1 : -1;
}

/* "a, b<c, d>, e)": each parameter; -1: another function. */
static int compare_params(const struct paste *p, const char *text)
{
    uint32_t count = 0;
    int score = 0;
    if (strncmp(text, "void)", 5) == 0)
        text += 4;
    while (*text && *text != ')') {
        int depth = 0;
        size_t len = 0;
        while (text[len] && (depth || (text[len] != ',' && text[len] != ')'))) {
            depth += strchr("(<[", text[len]) != NULL;
            depth -= strchr(")>]", text[len]) != NULL;
            len++;
        }
        if (strncmp(text, "...", 3) != 0) {
            int one =
                count < p->want->param_count
                    ? compare_param(text, len, p->want->params[count].type)
                    : -1;
            if (p->want->has_params && one < 0)
                return -1;
            score += one > 0;
            count++;
        }
        text += len + (text[len] == ',');
        text += strspn(text, " ");
    }
    return p->want->has_params && count != p->want->param_count ? -1 : score;
}

/* "label[abi:cxx11](int)": nobody writes the tags. */
static void drop_tags(char *text)
{
    for (char *at = text; (at = strstr(at, "[abi:"));) {
        const char *end = strchr(at, ']');
        if (!end)
            return;
        memmove(at, end + 1, strlen(end + 1) + 1);
    }
}

/* ---- names -------------------------------------------------------------- */

/* Behind the bracket that closes the one at `at`. */
static const char *behind_arguments(const char *at)
{
    int depth = 0;
    do
        depth += (*at == '<') - (*at == '>');
    while (*at++ && depth);
    return at;
}

/* Arguments of templates that nobody writes, as they are there anyway. */
static void drop_defaults(char *text)
{
    static const char *const words[] = {
        ",std::char_traits<",    ",std::allocator<", ",std::less<",
        ",std::default_delete<", ",std::hash<",      ",std::equal_to<"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (char *at = text; (at = strstr(at, words[i]));) {
            const char *end = behind_arguments(at + strlen(words[i]) - 1);
            memmove(at, end, strlen(end) + 1);
        }
}

static void replace_string(char *text)
{
    static const char whole[] = "std::__cxx11::basic_string<char>";
    static const char word[] = "std::string";
    for (char *at = text; (at = strstr(at, whole));) {
        memcpy(at, word, sizeof word - 1);
        at += sizeof word - 1;
        memmove(at, at + sizeof whole - sizeof word,
                strlen(at + sizeof whole - sizeof word) + 1);
    }
}

/* One spelling of each name; NULL: no memory. */
static char *spelling(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < len; i++)
        if (!isspace((unsigned char)text[i]))
            out[n++] = text[i];
    if (!out)
        return NULL;
    out[n] = 0;
    drop_tags(out);
    drop_defaults(out);
    replace_string(out);
    return out;
}

static bool is_same(const char *text, size_t len, const char *wanted)
{
    char *own = spelling(text, len);
    bool same = own && wanted && strcmp(own, wanted) == 0;
    free(own);
    return same;
}

/* "non-virtual thunk to ns::B::f(int)" passes its call on, with another
 * `this`. */
static bool is_other(const char *text, size_t len)
{
    return has_word(text, len, "to") || has_word(text, len, "for");
}

/* "f(int) const &" is another one than "f(int) const" beside it. */
static bool has_qualifiers(const struct paste *p, const char *behind)
{
    return is_same(behind, manifest_cxx_qualifiers(behind, strlen(behind)),
                   p->qualifiers);
}

/* -1: another function. */
static int compare(const struct paste *p, const char *text)
{
    struct manifest_cxx_name at;
    if (!manifest_cxx_name(text, strlen(text), &at) ||
        is_other(text, at.name) ||
        !is_same(text + at.name, at.params - at.name, p->wanted_name))
        return -1;
    const char *params = text + at.params;
    if (is_same(params, strlen(params), p->wanted_params))
        return EXACT;
    int score = compare_params(p, params + 1);
    return score < 0 ? -1 : 2 * score + has_qualifiers(p, text + at.behind);
}

static bool add(struct paste *p, const struct plan_symbol *symbol)
{
    struct functions *f = p->out;
    void *grown = realloc(f->at, (f->count + 1) * sizeof *f->at);
    if (!grown)
        return false;
    f->at = grown;
    f->at[f->count] = (struct function){
        .object = p->object, .name = symbol->name, .vaddr = symbol->vaddr};
    buf_init(&f->at[f->count].said, SAID_BYTES);
    f->cap = ++f->count;
    return true;
}

static void clear(struct paste *p)
{
    functions_free(p->out);
    free(p->text);
    p->text = NULL;
    p->ties = 0;
}

static bool is_known(const struct paste *p, uint64_t vaddr)
{
    for (size_t i = 0; i < p->out->count; i++)
        if (p->out->at[i].object == p->object && p->out->at[i].vaddr == vaddr)
            return true;
    return false;
}

/* The variants of a constructor are one function. */
static bool is_variant(const struct paste *p, const char *text)
{
    return p->text && strcmp(p->text, text) == 0 &&
           p->out->at[0].object == p->object;
}

static int look(void *context, const struct plan_symbol *symbol)
{
    struct paste *p = context;
    int status;
    if (strncmp(symbol->name, "_Z", 2) != 0 || symbol->vaddr == 0 ||
        (p->part[0] && !strstr(symbol->name, p->part)) ||
        (strchr(symbol->name, '.') &&
         !(p->is_clone && bind_is_clone(symbol->name))))
        return 0; /* behind a dot: what a compiler made of it, also .cold */
    char *text = __cxa_demangle(symbol->name, p->buf, &p->buf_bytes, &status);
    if (!text || status != 0)
        return 0;
    p->buf = text;
    bind_cut_suffix(symbol->name, text);
    int score = compare(p, text);
    if (score < 0 || score < p->score || is_known(p, symbol->vaddr))
        return 0;
    if (score == p->score && !is_variant(p, text)) {
        p->ties++;
        return 0;
    }
    if (score > p->score)
        clear(p);
    p->score = score;
    if (!p->text)
        p->text = strdup(text);
    return p->text && add(p, symbol) ? 0 : -ENOMEM;
}

/* The variant that objects are made with comes first: of those whose parameters
 * differ the prototype is the first one's. */
static void sort_variants(struct functions *f)
{
    for (size_t i = 1; i < f->count; i++) {
        struct function one = f->at[i];
        bool is_plain = variant_hidden(&one.object->image, one.name,
                                       one.vaddr) == VARIANT_PLAIN;
        if (is_plain) {
            f->at[i] = f->at[0];
            f->at[0] = one;
        }
    }
}

static bool start(struct paste *p, const struct manifest_want *want)
{
    const char *name = want->decl->ident ? want->decl->ident : "";
    size_t len;
    const char *part = name_part(want->pasted ? want->pasted : name, &len);
    struct manifest_cxx_name at;
    if (part && len < sizeof p->part)
        memcpy(p->part, part, len);
    p->wanted_name = spelling(name, strlen(name));
    if (want->pasted &&
        manifest_cxx_name(want->pasted, strlen(want->pasted), &at)) {
        p->wanted_params = spelling(want->pasted + at.params,
                                    strlen(want->pasted + at.params));
    }
    const char *behind = want->qualifiers ? want->qualifiers : "";
    p->qualifiers = spelling(behind, strlen(behind));
    return *name && p->wanted_name && p->qualifiers;
}

static int look_at_all(struct paste *p, const struct objects *objects)
{
    int err = 0;
    for (size_t i = 0; !err && i < objects->count; i++) {
        p->object = &objects->at[i];
        if (!object_matches(p->object, p->want->decl->object))
            continue;
        object_add_symtab(objects, p->object);
        err = plan_image_each_function(&p->object->image, look, p);
    }
    return err;
}

/* What is bound by that name: variants that pass their calls on are not. */
static int find_bound(struct paste *p, const struct objects *objects)
{
    struct manifest_decl decl = *p->want->decl;
    struct functions bound;
    decl.symbol = p->text;
    int err = functions_find(objects, &decl, &bound);
    if (err || !bound.count)
        return err;
    functions_free(p->out);
    *p->out = bound;
    sort_variants(p->out);
    return 0;
}

int types_paste_find(const struct objects *objects,
                     const struct manifest_want *want, struct functions *out,
                     char **readable)
{
    struct paste p = {.want = want, .score = -1, .out = out};
    int err = 0;
    *out = (struct functions){0};
    *readable = NULL;
    bool is_ready = start(&p, want);
    if (is_ready)
        err = look_at_all(&p, objects);
    p.is_clone = true; /* if there is no other */
    if (is_ready && !err && p.score < 0)
        err = look_at_all(&p, objects);
    free(p.buf);
    free(p.wanted_name);
    free(p.wanted_params);
    free(p.qualifiers);
    if (err || p.ties)
        clear(&p);
    else if ((want->pasted || !want->has_params) && p.text)
        err = find_bound(&p, objects);
    *readable = p.text;
    return err;
}
