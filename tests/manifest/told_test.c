/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values there are when the debug information says this of where the
 * parameters are: what compilers write rarely, and only deep in random
 * programs (tests/values/generate.py found the first lines).
 */
#include "manifest/manifest.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void keys_of(const struct manifest *m, char *out, size_t room)
{
    size_t used = 0;
    *out = '\0';
    for (uint32_t i = 0; i < m->decl_count; i++)
        for (uint32_t j = 0; j < m->decls[i].item_count; j++)
            used += (size_t)snprintf(out + used, room - used, "%s%s",
                                     used ? " " : "", m->decls[i].items[j].key);
}

static void expect(const char *args, const char *wanted)
{
    static char space[1 << 18];
    static const char text[] = "[[span, input(p)]] f;\n";
    char types[512], got[256] = "(not parsed)";
    snprintf(types, sizeof types,
             "struct s { long a; double b; };\n"
             "[[span(\"f\"), file(\"p:0x10\"), args(\"%s\")]] "
             "int f(struct s p, long k, double d);\n",
             args);
    struct manifest_types said = {"types", types, strlen(types)};
    struct manifest_host host = {.types = &said, .compares = true};
    struct manifest_arena arena = {.base = space, .cap_bytes = sizeof space};
    const struct manifest *m;
    if (manifest_parse("m", text, strlen(text), &host, &arena, &m) == 0)
        keys_of(m, got, sizeof got);
    if (strcmp(got, wanted) == 0)
        return;
    printf("args(\"%s\"): got '%s', want '%s'\n", args, got, wanted);
    failures++;
}

int main(void)
{
    expect("?: rdi:xmm0, rsi, xmm1", "p_a p_b k d return");
    expect("?: ?, ?, ?", "p_a p_b k d return");
    /* one half is gone: the other is where it is told, or has no value */
    expect("?: rdi:-, rsi, xmm1", "p_a k d return");
    expect("?: -:xmm0, rsi, xmm1", "p_b k d return");
    expect("?: -:?, rsi, xmm1", "k d return");
    expect("?: ?:-, rsi, xmm1", "k d return");
    /* moved */
    expect("?: rsi:-, rsi, xmm1", "k d return");
    expect("?: -:xmm1, rsi, xmm1", "k d return");
    expect("?: -, rdi, xmm0", "return");
    expect("?: xmm0:rdi, rsi, xmm1", "k d return");
    /* only told later, and beside it others */
    expect("?: ~, rsi, xmm1", "k d return");
    expect("?: rdi:xmm0, ~, xmm1", "p_a p_b d return");
    /* a result that is not there makes doubtful what is not told */
    expect("-: rdi:xmm0, ?, xmm1", "p_a p_b d");
    expect("^: ^, ^, ^", "");
    return failures != 0;
}
