/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a manifest, and every expression of what comes out
 * evaluated in a small memory, registers filled from the same bytes. No crash,
 * no hang, and never more memory than the arena.
 */
#include "manifest/run/eval.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

enum {
    ARENA_BYTES = 16 << 20,
    MEMORY_BYTES = 4096,
};
static char arena_bytes[ARENA_BYTES];
static uint8_t memory[MEMORY_BYTES];

static size_t read_memory(void *context, void *dst, uint64_t addr, size_t n)
{
    (void)context;
    uint64_t base = (uint64_t)(uintptr_t)memory;
    if (addr < base || addr - base >= MEMORY_BYTES)
        return 0;
    size_t there = MEMORY_BYTES - (size_t)(addr - base);
    n = n < there ? n : there;
    memcpy(dst, memory + (addr - base), n);
    return n;
}

static int load(void *context, const char *from, const char *name,
                const char **text, size_t *len, const char **shown)
{
    (void)context, (void)from;
    *text = "[[object(main)]]; [[include(\"x\")]]; struct q { int a; };";
    *len = strlen(*text);
    *shown = name;
    return name[0] == 'x' ? 0 : -2;
}

static void report(void *context, const struct manifest_diagnostic *d)
{
    char shown[512];
    (void)context;
    manifest_format_diagnostic(d, shown, sizeof shown);
}

static void evaluate(const struct manifest *m, struct manifest_env *env)
{
    for (uint32_t i = 0; i < m->decl_count; i++) {
        const struct manifest_decl *d = &m->decls[i];
        for (uint32_t j = 0; j < d->item_count; j++) {
            struct manifest_value v;
            (void)manifest_eval(d->items[j].expr, env, &v);
        }
        for (uint32_t j = 0; j < d->fails_count; j++)
            (void)manifest_eval_condition(d->fails[j].condition, env);
        for (uint32_t j = 0; j < d->flow_count; j++) {
            struct manifest_value v;
            if (d->flows[j].key)
                (void)manifest_eval(d->flows[j].key, env, &v);
        }
    }
}

/* The bytes again and again: a copy at a time, a loop over bytes with
 * libFuzzer's count of each comparison took a third of a run. */
static void fill_memory(const uint8_t *data, size_t len)
{
    memset(memory, 0, MEMORY_BYTES);
    for (size_t at = 0; len && at < MEMORY_BYTES; at += len)
        memcpy(memory + at, data,
               len < MEMORY_BYTES - at ? len : MEMORY_BYTES - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct manifest_host host = {.load = load, .report = report};
    struct manifest_arena arena = {arena_bytes, 0, ARENA_BYTES};
    const struct manifest *m = NULL;
    uint64_t ireg[6];
    uint8_t freg[8][16] = {{0}};
    fill_memory(data, len);
    for (size_t i = 0; i < 6; i++)
        ireg[i] =
            (uint64_t)(uintptr_t)memory + (i * 512) + (len > i ? data[i] : 0);
    if (manifest_parse("fuzz", (const char *)data, len, &host, &arena, &m))
        return 0;
    struct manifest_env env = {
        .ireg = ireg, .freg = freg, .stack_args = ireg[5], .read = read_memory};
    evaluate(m, &env);
    env.is_leave = true;
    env.rax = len > 7 ? data[7] : 0;
    env.ret_freg = freg;
    evaluate(m, &env);
    return 0;
}
