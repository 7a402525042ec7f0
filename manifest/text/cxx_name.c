/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the name is in a function of C++ as nm -C, gdb and c++filt print it:
 * "int ns::f<int>(int)", "ns::T::operator()(int) const". Bytes are looked at
 * once each; brackets are counted, not recursed into.
 */
#include "manifest/manifest.h"

#include <string.h>

enum {
    OPEN_MAX = 64 /* brackets in each other */
};
static const char anonymous[] = "(anonymous namespace)";

struct scan {
    const char *text;
    size_t len, at;
};

static char byte_at(const struct scan *s, size_t at)
{
    return at < s->len ? s->text[at] : '\0';
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_with(const struct scan *s, const char *text)
{
    size_t n = strlen(text);
    return s->len - s->at >= n && memcmp(s->text + s->at, text, n) == 0;
}

/* Is it this word, and not a part of a longer one? */
static bool is_word(const struct scan *s, const char *word)
{
    return starts_with(s, word) &&
           (s->at == 0 || !is_word_byte(s->text[s->at - 1])) &&
           !is_word_byte(byte_at(s, s->at + strlen(word)));
}

static void skip_blanks(struct scan *s)
{
    while (is_blank(byte_at(s, s->at)))
        s->at++;
}

/* ---- operators ---------------------------------------------------------- */

static bool skip_symbol(struct scan *s)
{
    static const char symbols[][4] = {
        "->*", "<=>", "<<=", ">>=", "()", "[]", "->", "++", "--", "<<",
        ">>",  "<=",  ">=",  "==",  "!=", "&&", "||", "+=", "-=", "*=",
        "/=",  "%=",  "^=",  "&=",  "|=", "+",  "-",  "*",  "/",  "%",
        "^",   "&",   "|",   "~",   "!",  "=",  "<",  ">",  ","};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (starts_with(s, symbols[i])) {
            s->at += strlen(symbols[i]);
            return true;
        }
    return false;
}

static void skip_word(struct scan *s)
{
    while (is_word_byte(byte_at(s, s->at)))
        s->at++;
}

/* Behind `operator` and what makes it one; of a conversion, before its type. */
static void skip_operator(struct scan *s, bool *is_conversion)
{
    s->at += strlen("operator");
    skip_blanks(s);
    *is_conversion = false;
    if (is_word(s, "new") || is_word(s, "delete")) {
        skip_word(s);
        struct scan behind = *s;
        skip_blanks(&behind);
        if (starts_with(&behind, "[]"))
            s->at = behind.at + 2;
    } else if (is_word(s, "co_await")) {
        skip_word(s);
    } else if (starts_with(s, "\"\"")) {
        s->at += 2;
        skip_blanks(s);
        skip_word(s);
    } else {
        *is_conversion = !skip_symbol(s);
    }
}

/* ---- brackets ----------------------------------------------------------- */

static char closing(char c)
{
    return c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '>';
}

/* From an opening bracket behind its closing one. */
static bool skip_group(struct scan *s)
{
    char open[OPEN_MAX];
    size_t depth = 0;
    bool ignored;
    do {
        char c = byte_at(s, s->at);
        bool in_angle = depth == 0 || open[depth - 1] == '>';
        if (!c || c == ';')
            return false;
        if (c == '-' && byte_at(s, s->at + 1) == '>') {
            s->at += 2;
        } else if (is_word(s, "operator")) {
            skip_operator(s, &ignored);
        } else if (c == '(' || c == '[' || c == '{' || (c == '<' && in_angle)) {
            if (depth == OPEN_MAX)
                return false;
            open[depth++] = closing(c);
            s->at++;
        } else if (depth && c == open[depth - 1]) {
            depth--;
            s->at++;
        } else if (c == ')' || c == ']' || c == '}') {
            return false;
        } else {
            s->at++;
        }
    } while (depth);
    return true;
}

/* ---- the name ------------------------------------------------------------ */

/* What takes parentheses and is no function. */
static bool is_other_word(const struct scan *s, size_t from)
{
    static const char words[][14] = {
        "__attribute__", "__attribute", "__declspec", "decltype",
        "noexcept",      "alignas",     "__asm__",    "asm"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == s->at - from &&
            memcmp(s->text + from, words[i], s->at - from) == 0)
            return true;
    return false;
}

/* Behind blanks: does the name go on? "operator<< <char>", "f (int)" */
static bool goes_on(const struct scan *s)
{
    char c = byte_at(s, s->at);
    return (c == '(' && !starts_with(s, anonymous)) || c == '<';
}

/* "f(int) const::{lambda()#1}::operator()": parameters of a scope. */
static bool skip_scope(struct scan *s)
{
    struct scan behind = *s;
    if (starts_with(&behind, " const"))
        behind.at += strlen(" const");
    if (!starts_with(&behind, "::"))
        return false;
    s->at = behind.at + 2;
    return true;
}

bool manifest_cxx_name(const char *text, size_t len,
                       struct manifest_cxx_name *out)
{
    struct scan s = {.text = text, .len = len};
    bool is_operator = false;
    size_t name = 0;
    *out = (struct manifest_cxx_name){.conversion = 0};
    while (s.at < len) {
        char c = s.text[s.at];
        if (is_word(&s, "operator") && !is_operator) {
            bool is_conversion;
            skip_operator(&s, &is_conversion);
            is_operator = true;
            out->conversion = is_conversion ? s.at : 0;
        } else if (starts_with(&s, anonymous)) {
            s.at += sizeof anonymous - 1;
        } else if (c == '<' || c == '{' || c == '[' ||
                   (c == '(' && is_other_word(&s, name))) {
            if (!skip_group(&s))
                return false;
        } else if (c == '(') {
            out->name = name;
            out->params = s.at;
            if (!skip_group(&s) || out->params == name)
                return false;
            if (!skip_scope(&s)) {
                out->behind = s.at;
                return true;
            }
            is_operator = false;
        } else if (is_blank(c)) {
            skip_blanks(&s);
            if (!is_operator && !goes_on(&s))
                name = s.at;
        } else if ((c == '*' || c == '&') &&
                   (!is_operator || out->conversion)) {
            s.at++;
            name = is_operator ? name : s.at;
        } else if (is_word_byte(c) || c == ':' || c == '~' || c == '\'') {
            s.at++;
        } else {
            return false;
        }
    }
    return false;
}

size_t manifest_cxx_qualifiers(const char *text, size_t len)
{
    struct scan s = {.text = text, .len = len};
    size_t end = 0;
    while (s.at < len) {
        size_t n = is_word(&s, "const")      ? 5
                   : is_word(&s, "volatile") ? 8
                                             : text[s.at] == '&';
        if (!n && !is_blank(text[s.at]))
            break;
        s.at += n + !n;
        end = n ? s.at : end;
    }
    return end;
}

size_t manifest_cxx_param(const char *text, size_t len)
{
    struct scan s = {.text = text, .len = len};
    for (char c; (c = byte_at(&s, s.at)) && c != ',' && c != ')' && c != ';';)
        if (c == '(' || c == '[' || c == '{' || c == '<') {
            if (!skip_group(&s))
                return len;
        } else {
            s.at++;
        }
    return s.at;
}
