/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cxx_name.h. Both sides are walked once, side by side; what people leave
 * out or spell otherwise is stepped over where it stands.
 */
#include "shim/plan/cxx_name.h"
#include <string.h>

bool name_has(char c)
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

/* Two spellings of one type, and ABI tags, which nobody writes. True: both
 * moved on. */
static bool skip_spelling(const char **name, const char **wanted)
{
    static const char whole[] =
        "std::__cxx11::basic_string<char,std::char_traits<char>,"
        "std::allocator<char>>";
    static const char word[] = "std::string";
    if (strncmp(*name, "[abi:", 5) == 0 && strchr(*name, ']')) {
        *name = strchr(*name, ']') + 1;
        return true;
    }
    const char *behind = skip_word(*name, whole);
    if (!behind || strncmp(*wanted, word, sizeof(word) - 1) != 0 ||
        name_has((*wanted)[sizeof(word) - 1]))
        return false;
    *name = behind;
    *wanted += sizeof(word) - 1;
    return true;
}

/* Spaces do not count: "f(char const*, int)" is "f(char const *,int)". */
bool name_is_same(const char *name, const char *wanted)
{
    for (;;) {
        while (*name == ' ')
            name++;
        while (*wanted == ' ')
            wanted++;
        if (skip_spelling(&name, &wanted))
            continue;
        if (*name != *wanted)
            return false;
        if (*name == '\0')
            return true;
        name++;
        wanted++;
    }
}

/* "int ns::id<int>(int)": an instance of a template is told with the type
 * that it returns. */
static const char *skip_return_type(const char *name)
{
    const char *start = name;
    int depth = 0;
    for (const char *at = name; *at && *at != '('; at++) {
        depth += (*at == '<') - (*at == '>');
        if (*at == ' ' && depth == 0)
            start = at + 1;
        if (strncmp(at, "operator", 8) == 0)
            break;
    }
    return start;
}

bool name_is_meant(const char *name, const char *wanted)
{
    return name_is_same(name, wanted) ||
           name_is_same(skip_return_type(name), wanted);
}
