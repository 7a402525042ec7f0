/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See types_paste.h. Symbols say the types of parameters in words; the
 * manifest has parsed them. Where both know a type, they must agree.
 */
#include "tools/cli/types_paste.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

struct paste {
    const struct manifest_want *want;
    const char *name; /* qualified */
    char part[128];   /* behind its last "::" */
    const struct object *object;
    struct function best;
    int score, ties; /* of the best */
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

/* "non-virtual thunk to ns::B::f(int)" passes its call on, with another
 * `this`. */
static bool is_thunk(const char *text, const char *name)
{
    static const char word[] = "thunk to ";
    size_t len = sizeof word - 1;
    return (size_t)(name - text) >= len && memcmp(name - len, word, len) == 0;
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

/* Behind "ns::f(" in "int ns::f<int>(int)"; NULL: another name. */
static const char *params_of(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at++) {
        const char *end = at + len;
        if ((at != text && at[-1] != ' ') || is_thunk(text, at))
            continue;
        if (*end == '(')
            return end + 1;
    }
    return NULL;
}

static int look(void *context, const struct plan_symbol *symbol)
{
    struct paste *p = context;
    int status;
    if (strncmp(symbol->name, "_Z", 2) != 0 || symbol->vaddr == 0 ||
        !strstr(symbol->name, p->part) || strchr(symbol->name, '.'))
        return 0; /* behind a dot: what a compiler made of it, also .cold */
    char *text = __cxa_demangle(symbol->name, p->buf, &p->buf_bytes, &status);
    if (!text || status != 0)
        return 0;
    p->buf = text;
    drop_tags(text);
    const char *params = params_of(text, p->name);
    int score = params ? compare_params(p, params) : -1;
    if (score < 0 || score < p->score ||
        (p->best.object == p->object && p->best.vaddr == symbol->vaddr))
        return 0;
    p->ties = score == p->score ? p->ties + 1 : 0;
    p->score = score;
    p->best = (struct function){
        .object = p->object, .name = symbol->name, .vaddr = symbol->vaddr};
    return 0;
}

int types_paste_find(const struct objects *objects,
                     const struct manifest_want *want, struct functions *out)
{
    struct paste p = {.want = want, .name = want->decl->ident, .score = -1};
    const char *part = p.name ? last_part(p.name) : "";
    *out = (struct functions){0};
    if (!*part || strlen(part) >= sizeof p.part)
        return 0;
    memcpy(p.part, part, strlen(part) + 1);
    for (size_t i = 0; i < objects->count; i++) {
        p.object = &objects->at[i];
        if (object_matches(p.object, want->decl->object))
            plan_image_each_function(&p.object->image, look, &p);
    }
    free(p.buf);
    if (!p.best.object || p.ties)
        return 0;
    out->at = malloc(sizeof *out->at);
    if (!out->at)
        return -ENOMEM;
    out->at[0] = p.best;
    out->count = out->cap = 1;
    return 0;
}
