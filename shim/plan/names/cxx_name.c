/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cxx_name.h. Names are compared as one spelling of each, which is read
 * char by char and never written down.
 */
#include "shim/plan/names/cxx_name.h"
#include <string.h>

static bool may_stand_in_identifier(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* Behind `word` if `at` begins with it, spaces aside; else NULL. */
static const char *skip_word(const char *at, const char *word)
{
    for (; *word; word++, at++) {
        while (*at == ' ')
            at++;
        if (*at != *word)
            return NULL;
    }
    return at;
}

struct spelling {
    const char *at;
    const char *instead; /* of what `at` is behind already; "": nothing */
};

/* Two spellings of one type, and ABI tags, which nobody writes. True: moved
 * on. */
static bool skip_spelling(struct spelling *s)
{
    static const char whole[] =
        "std::__cxx11::basic_string<char,std::char_traits<char>,"
        "std::allocator<char>>";
    const char *behind;
    if (*s->at == ' ') {
        s->at++;
        return true;
    }
    if (strncmp(s->at, "[abi:", 5) == 0 && strchr(s->at, ']')) {
        s->at = strchr(s->at, ']') + 1;
        return true;
    }
    if (*s->at != 's' || !(behind = skip_word(s->at, whole)))
        return false;
    s->at = behind;
    s->instead = "std::string";
    return true;
}

static char next_char(struct spelling *s)
{
    while (!*s->instead && skip_spelling(s))
        ;
    if (*s->instead)
        return *s->instead++;
    return *s->at ? *s->at++ : '\0';
}

bool name_is_same(const char *name, const char *wanted)
{
    struct spelling a = {name, ""}, b = {wanted, ""};
    for (;;) {
        char c = next_char(&a);
        if (c != next_char(&b))
            return false;
        if (c == '\0')
            return true;
    }
}

uint64_t name_hash(const char *name)
{
    struct spelling s = {name, ""};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (char c; (c = next_char(&s));)
        hash = (hash ^ (uint8_t)c) * UINT64_C(0x100000001b3);
    return hash;
}

size_t name_spell(const char *name, const char *end, char *out,
                  size_t cap_bytes)
{
    struct spelling s = {name, ""};
    size_t len = 0;
    while (len + 1 < cap_bytes) {
        while (!*s.instead && s.at < end && skip_spelling(&s))
            ;
        if (!*s.instead && s.at >= end)
            break;
        out[len++] = *s.instead ? *s.instead++ : *s.at++;
    }
    out[len] = '\0';
    return len + 1 < cap_bytes ? len : cap_bytes;
}

/* ---- the parts of a name ------------------------------------------------ */

/* The word at `at`, which stands in `name`? */
static bool is_operator(const char *name, const char *at)
{
    return strncmp(at, "operator", 8) == 0 &&
           (at == name || !may_stand_in_identifier(at[-1])) &&
           !may_stand_in_identifier(at[8]);
}

/* Behind an operator's signs, which are no brackets: "operator<<",
 * "operator()". A conversion has none ("operator int"). */
static const char *skip_operator(const char *at)
{
    at += 8;
    if (strncmp(at, "()", 2) == 0)
        return at + 2;
    return at + strspn(at, "<>=!+-*/%^&|~,[]");
}

/* Behind the parenthesis that closes. */
static const char *skip_parentheses(const char *at)
{
    int depth = 0;
    for (; *at; at++) {
        depth += (*at == '(') - (*at == ')');
        if (depth == 0)
            return at + 1;
    }
    return at;
}

/* One step over a name; `depth` is that within template arguments. */
static const char *step(const char *name, const char *at, int *depth)
{
    static const char anonymous[] = "(anonymous namespace)";
    if (strncmp(at, anonymous, sizeof(anonymous) - 1) == 0)
        return at + sizeof(anonymous) - 1;
    if (*at == '(')
        return skip_parentheses(at);
    if (is_operator(name, at))
        return skip_operator(at);
    bool is_arrow = *at == '>' && at > name && at[-1] == '-'; /* Rust's */
    *depth += (*at == '<') - (*at == '>' && !is_arrow);
    return at + 1;
}

/* Parentheses on the outside that are no namespace and hold no expression? */
static bool opens_parameters(const char *name, const char *at, int depth)
{
    static const char type[] = "decltype ";
    const size_t len = sizeof(type) - 1;
    return *at == '(' && depth == 0 && at > name &&
           strncmp(at, "(anonymous namespace)", 21) != 0 &&
           !((size_t)(at - name) >= len && memcmp(at - len, type, len) == 0);
}

const char *name_parameters(const char *name)
{
    const char *last = NULL, *at = name;
    for (int depth = 0; *at; at = step(name, at, &depth))
        if (opens_parameters(name, at, depth))
            last = at;
    return last ? last : at;
}

/* "int ns::id<int>(int)": an instance of a template is told with the type
 * that it returns. */
const char *name_skip_return_type(const char *name)
{
    const char *start = name, *thunk = strstr(name, "thunk to ");
    const char *open = strchr(name, '(');
    int depth = 0;
    /* "non-virtual thunk to ns::B::f(int)" is not that function */
    if (thunk && (!open || thunk < open))
        return name;
    for (const char *at = name; *at; at = step(name, at, &depth)) {
        if (opens_parameters(name, at, depth) || is_operator(name, at))
            break;
        if (*at == ' ' && depth == 0)
            start = at + 1;
    }
    return start;
}

bool name_is_meant(const char *name, const char *wanted)
{
    return name_is_same(name, wanted) ||
           name_is_same(name_skip_return_type(name), wanted);
}

/* ---- the identifier to look for -------------------------------------------
 */

/* Before the template arguments that end at `end`. */
static const char *before_arguments(const char *start, const char *end)
{
    int depth = 0;
    for (const char *at = end; at > start; at--) {
        depth += (at[-1] == '>') - (at[-1] == '<');
        if (depth == 0)
            return at[-1] == '<' ? at - 1 : at;
    }
    return start;
}

bool name_is_abbreviated(const char *part, size_t len)
{
    static const char *const words[] = {"std",          "string",
                                        "basic_string", "allocator",
                                        "istream",      "basic_istream",
                                        "ostream",      "basic_ostream",
                                        "iostream",     "basic_iostream",
                                        "decltype",     "auto",
                                        "noexcept",     "void"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strlen(words[i]) == len && memcmp(part, words[i], len) == 0)
            return true;
    }
    return false;
}

/* The first one, or NULL. */
static const char *find_operator(const char *name)
{
    for (const char *at = name; (at = strstr(at, "operator")); at++)
        if (is_operator(name, at))
            return at;
    return NULL;
}

const char *name_part(const char *wanted, size_t *len)
{
    const char *end = find_operator(wanted);
    if (!end)
        end = name_parameters(wanted);
    else if (end - wanted >= 2 && end[-1] == ':')
        end -= 2; /* the class of an operator */
    while (end > wanted && end[-1] == ' ')
        end--;
    if (end > wanted && end[-1] == ']') { /* [abi:cxx11] */
        while (end > wanted && end[-1] != '[')
            end--;
        end -= end > wanted;
    }
    if (end > wanted && end[-1] == '>')
        end = before_arguments(wanted, end);
    const char *start = end;
    while (start > wanted && may_stand_in_identifier(start[-1]))
        start--;
    *len = (size_t)(end - start);
    if (*len == 0 || name_is_abbreviated(start, *len))
        return NULL;
    return start;
}

/* Identifiers stand as their length and themselves; Rust puts an underscore
 * between the two. One that ends in digits stands before the next one's
 * length ("7__cxx1112basic_string"), so every digit may be a beginning. */
bool name_any_part(const char *mangled,
                   bool (*is_one)(void *context, const char *part, size_t len),
                   void *context)
{
    const char *end = mangled + strlen(mangled);
    for (const char *at = mangled; at < end; at++) {
        size_t len = 0;
        const char *part = at;
        for (; *part >= '0' && *part <= '9' && len < 10000; part++)
            len = len * 10 + (size_t)(*part - '0');
        if (part == at || len > (size_t)(end - part))
            continue;
        if (is_one(context, part, len) ||
            (*part == '_' && len < (size_t)(end - part) &&
             is_one(context, part + 1, len)))
            return true;
    }
    return false;
}
