/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile manifests: the golden ones cut, spliced and overwritten by a fixed
 * random sequence, plain noise, towers of brackets, and arenas of every size.
 * Built with ASan and UBSan; passing means that nothing was reported, no
 * parse took long, and each answered 0, -ENOMEM or -E2BIG.
 */
#include "manifest/run/eval.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 1 << 16,
    ARENA = 1 << 20
};

static uint64_t state = 0x9e3779b97f4a7c15u;
static const char *inc_text;
static size_t inc_len;

static uint32_t next_random(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 16) % below);
}

/* Touch every byte of a message: ASan sees what is not there. */
static void report(void *context, const struct manifest_diagnostic *d)
{
    char buf[300];
    size_t *sum = context;
    *sum += manifest_format_diagnostic(d, buf, sizeof(buf)) + strlen(buf);
    *sum += manifest_format_diagnostic(d, buf, 1 + next_random(300));
}

static int load(void *context, const char *from, const char *name,
                const char **text, size_t *len, const char **shown)
{
    (void)context;
    (void)from;
    *text = inc_text;
    *len = inc_len;
    *shown = name;
    return next_random(8) ? 0 : -EACCES;
}

static size_t no_memory(void *context, void *dst, uint64_t addr, size_t n)
{
    (void)context;
    (void)addr;
    memset(dst, 0x5a, n / 2);
    return next_random(4) ? n : n / 2;
}

/* Evaluate all that was understood, on arbitrary registers. */
static void eval_all(const struct manifest *m)
{
    static const uint64_t ireg[6] = {1, 2, 3, UINT64_MAX, 0, 1u << 31};
    static const uint8_t freg[8][16];
    struct manifest_env env = {.ireg = ireg,
                               .freg = freg,
                               .stack_args = 0x1000,
                               .is_leave = true,
                               .ret_freg = freg,
                               .read = no_memory};
    struct manifest_value v;
    for (uint32_t i = 0; i < m->decl_count; i++) {
        const struct manifest_decl *d = &m->decls[i];
        manifest_decl_applies(d, d->name);
        for (uint32_t j = 0; j < d->item_count; j++)
            (void)manifest_eval(d->items[j].expr, &env, &v);
        for (uint32_t j = 0; j < d->fails_count; j++)
            manifest_eval_condition(d->fails[j].condition, &env);
    }
}

static void try_text(const char *text, size_t len, size_t arena_bytes)
{
    size_t sum = 0;
    struct manifest_host host = {
        .context = &sum, .load = load, .report = report};
    /* Exactly as large as said: ASan guards both ends. */
    char *copy = malloc(len ? len : 1), *space = malloc(arena_bytes);
    struct manifest_arena arena = {.base = space, .cap_bytes = arena_bytes};
    const struct manifest *m;
    if (!copy || !space)
        abort();
    memcpy(copy, text, len);
    int error = manifest_parse("fuzz", copy, len, &host, &arena, &m);
    if (error == 0)
        eval_all(m);
    else if (error != -ENOMEM && error != -E2BIG)
        abort();
    free(copy);
    free(space);
}

static size_t mutate(char *text, size_t len)
{
    static const char *const pieces[] = {
        "[[",
        "]]",
        "(",
        ")",
        "{",
        "}",
        ";",
        "*",
        "->",
        "struct ",
        "union ",
        "[",
        "]",
        "/*",
        "\"",
        ",",
        "typedef ",
        "enum ",
        "input(",
        "return",
        "\\",
        "::",
        "...",
        "0x",
        "\n",
        "\0x",
        "&&",
        "<",
        "include(\"a\")",
        "secret(",
        "99999999999999999999",
        ":",
    };
    for (uint32_t n = 1 + next_random(6); n && len; n--) {
        size_t at = next_random((uint32_t)len);
        size_t span = 1 + next_random(40);
        const char *piece =
            pieces[next_random(sizeof(pieces) / sizeof(pieces[0]))];
        size_t size = strlen(piece);
        if (span > len - at)
            span = len - at;
        switch (next_random(4)) {
        case 0:
            text[at] = (char)next_random(256);
            break;
        case 1: /* cut */
            memmove(text + at, text + at + span, len - at - span);
            len -= span;
            break;
        case 2: /* insert */
            if (len + size >= TEXT_MAX)
                break;
            memmove(text + at + size, text + at, len - at);
            memcpy(text + at, piece, size);
            len += size;
            break;
        default: /* copy from elsewhere */
            memmove(text + at, text + next_random((uint32_t)(len - span + 1)),
                    span);
        }
    }
    return len;
}

static void try_towers(void)
{
    static const char *const towers[] = {"[[span,fails(",
                                         "(",
                                         "struct{",
                                         "int f(int(",
                                         "int*(",
                                         "[[",
                                         "/*",
                                         "struct s{struct",
                                         "*",
                                         "-",
                                         "!",
                                         "[[span]]int f",
                                         "[",
                                         "1+",
                                         "a->",
                                         "[[include(\"x\")]];",
                                         "typedef int(*",
                                         "enum{",
                                         "a[",
                                         "x,"};
    static char text[TEXT_MAX];
    for (size_t i = 0; i < sizeof(towers) / sizeof(towers[0]); i++)
        for (int prefix = 0; prefix < 3; prefix++) {
            static const char *const starts[] = {"", "[[span, fails(",
                                                 "[[span]] int f("};
            size_t len = strlen(starts[prefix]), n = strlen(towers[i]);
            memcpy(text, starts[prefix], len);
            while (len + n < TEXT_MAX) {
                memcpy(text + len, towers[i], n);
                len += n;
            }
            try_text(text, len, ARENA);
        }
}

static size_t read_file(const char *name, char *text)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        abort();
    size_t len = fread(text, 1, TEXT_MAX / 2, f);
    fclose(f);
    return len;
}

int main(int argc, char **argv)
{
    static char text[TEXT_MAX], work[TEXT_MAX];
    uint32_t rounds = (uint32_t)strtoul(argc > 1 ? argv[1] : "0", NULL, 10);
    for (int i = 2; i < argc; i++) {
        size_t len = read_file(argv[i], text);
        inc_text = text;
        inc_len = len;
        for (size_t cap = 0; cap < 200000; cap += 1 + cap / 40)
            try_text(text, len, cap);
        for (uint32_t n = 0; n < rounds; n++) {
            memcpy(work, text, len);
            try_text(work, mutate(work, len), ARENA);
        }
    }
    inc_len = 0;
    for (uint32_t n = 0; n < rounds; n++) {
        size_t len = next_random(2000);
        for (size_t i = 0; i < len; i++)
            work[i] = (char)(n & 1 ? next_random(256) : 32 + next_random(96));
        try_text(work, len, ARENA);
    }
    try_towers();
    return 0;
}
