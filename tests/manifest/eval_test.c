/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions against a made-up call: registers, stack, return value, errno
 * and a small piece of memory that the reader serves. Each line states an
 * expression and what C gives for it.
 */
#include "manifest/run/eval.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_AT = 0x10000,
    MEMORY_BYTES = 256
};

static uint8_t memory[MEMORY_BYTES];
static int failures;

static size_t read_memory(void *context, void *dst, uint64_t addr, size_t n)
{
    (void)context;
    if (addr < MEMORY_AT || addr >= MEMORY_AT + MEMORY_BYTES)
        return 0;
    size_t left = (size_t)(MEMORY_AT + MEMORY_BYTES - addr);
    memcpy(dst, memory + (addr - MEMORY_AT), n < left ? n : left);
    return n < left ? n : left;
}

static const char types[] =
    "struct in { int x; unsigned char u; char name[6]; struct in *next; };"
    "struct regs { int a; short b; signed char c; double d; };"
    "struct bf { int s : 5; unsigned u : 7; long l : 40; _Bool f : 1; };"
    "enum e { FIVE = 5, NEG = -3 };\n";
static const char proto[] =
    "int f(int i, unsigned u, signed char c, struct in *p, size_t n, char *t,"
    " long st, double d, struct regs r, long double ld, struct bf *b,"
    " void *bad, enum e e);";

static struct manifest_env make_env(void)
{
    static uint64_t ireg[6], ret_pair[2];
    static uint8_t freg[8][16], ret_freg[2][16];
    static double d = 2.5;
    struct {
        int x;
        unsigned char u;
        char name[6];
        uint64_t next;
    } in = {-7, 200, "abcde", MEMORY_AT + 32}, next = {99, 1, "zz", 0};
    (void)ret_pair;
    ireg[0] = 0xdeadbeef00000000u | (uint32_t)-5; /* upper half is noise */
    ireg[1] = 0xffffffff00000000u | 4000000000u;
    ireg[2] = 0x1234567800000080u; /* signed char -128 */
    ireg[3] = MEMORY_AT;
    ireg[4] = 3;
    ireg[5] = MEMORY_AT + 5; /* name of in */
    memcpy(memory, &in, sizeof(in));
    memcpy(memory + 32, &next, sizeof(next));
    memcpy(freg[0], &d, 8);
    memcpy(ret_freg[0], &d, 8);
    /* stack arguments at 64: st, r in memory, ld, b, bad, e */
    long st = -9;
    struct {
        int a;
        short b;
        signed char c;
        double d;
    } r = {11, -12, -13, 0.5};
    long double ld = 1.0L;
    struct {
        int s : 5;
        unsigned u : 7;
        long l : 40;
        _Bool f : 1;
    } b = {-3, 100, -1234567890123 % 500000000000, 1};
    uint64_t b_at = MEMORY_AT + 160, bad = 0x7000;
    int e = -3;
    memcpy(memory + 64, &st, 8);
    memcpy(memory + 72, &r, 16);
    memcpy(memory + 96, &ld, 16);
    memcpy(memory + 112, &b_at, 8);
    memcpy(memory + 120, &bad, 8);
    memcpy(memory + 128, &e, 4);
    memcpy(memory + 160, &b, sizeof(b));
    memcpy(memory + 250, "no end", 6);
    return (struct manifest_env){.ireg = ireg,
                                 .freg = (const uint8_t(*)[16])freg,
                                 .stack_args = MEMORY_AT + 64,
                                 .is_leave = true,
                                 .rax = 0xaaaaaaaa00000000u | (uint32_t)-2,
                                 .ret_freg = (const uint8_t(*)[16])ret_freg,
                                 .saved_errno = ENOENT,
                                 .read = read_memory};
}

static void show(void *context, const struct manifest_diagnostic *d)
{
    char buf[1024];
    (void)context;
    manifest_format_diagnostic(d, buf, sizeof(buf));
    fprintf(stderr, "%s", buf);
}

static const struct manifest_item *parse(const char *expr)
{
    static char space[1 << 18], text[2048];
    struct manifest_arena arena = {.base = space, .cap_bytes = sizeof(space)};
    struct manifest_host host = {.report = show};
    const struct manifest *m;
    snprintf(text, sizeof(text), "%s[[span, output(v = %s)]] %s", types, expr,
             proto);
    if (manifest_parse("eval", text, strlen(text), &host, &arena, &m) ||
        m->error_count || m->decl_count != 1 || m->decls[0].item_count < 1) {
        fprintf(stderr, "cannot parse: %s\n", expr);
        failures++;
        return NULL;
    }
    return &m->decls[0].items[0];
}

static void expect(const char *expr, int64_t wanted, int line)
{
    struct manifest_env env = make_env();
    struct manifest_value v;
    const struct manifest_item *item = parse(expr);
    if (!item)
        return;
    int error = manifest_eval(item->expr, &env, &v);
    if (error || (int64_t)v.bits != wanted) {
        fprintf(stderr,
                "%d: %s: wanted %" PRId64 ", got %" PRId64 " (error %d)\n",
                line, expr, wanted, (int64_t)v.bits, error);
        failures++;
    }
}
#define EXPECT(expr, wanted) expect(expr, (int64_t)(wanted), __LINE__)

static void expect_error(const char *expr, int wanted, int line)
{
    struct manifest_env env = make_env();
    struct manifest_value v;
    const struct manifest_item *item = parse(expr);
    int error = item ? manifest_eval(item->expr, &env, &v) : 0;
    if (error != wanted || (wanted == -EFAULT) != v.is_unreadable) {
        fprintf(stderr, "%d: %s: wanted error %d, got %d\n", line, expr, wanted,
                error);
        failures++;
    }
}
#define EXPECT_ERROR(expr, wanted) expect_error(expr, wanted, __LINE__)

static void expect_range(const char *expr, enum manifest_value_type type,
                         uint64_t at, uint64_t len, bool is_null, int line)
{
    struct manifest_env env = make_env();
    struct manifest_value v;
    const struct manifest_item *item = parse(expr);
    if (!item)
        return;
    int error = manifest_eval(item->expr, &env, &v);
    if (error || v.type != type || v.bits != at || v.len_bytes != len ||
        v.is_null != is_null) {
        fprintf(stderr, "%d: %s: type %d at %" PRIx64 " len %" PRIu64 "\n",
                line, expr, (int)v.type, v.bits, v.len_bytes);
        failures++;
    }
}
#define EXPECT_RANGE(expr, type, at, len, is_null)                             \
    expect_range(expr, MANIFEST_VALUE_##type, at, len, is_null, __LINE__)

static void test_sources(void)
{
    EXPECT("i", -5);
    EXPECT("u", 4000000000u);
    EXPECT("c", -128);
    EXPECT("n", 3);
    EXPECT("st", -9);
    EXPECT("e", -3);
    EXPECT("FIVE", 5);
    EXPECT("errno", ENOENT);
    EXPECT("errno == ENOENT", 1);
    EXPECT("return", -2);
    EXPECT("return < 0", 1);
    EXPECT("p->x", -7);
    EXPECT("p->u", 200);
    EXPECT("p->next->x", 99);
    EXPECT("p->name[1]", 'b');
    EXPECT("*t", 'a');
    EXPECT("t[2]", 'c');
    EXPECT("r.a", 11);
    EXPECT("r.b", -12);
    EXPECT("r.c", -13);
    EXPECT("b->s", -3);
    EXPECT("b->u", 100);
    EXPECT("b->l", -1234567890123 % 500000000000);
    EXPECT("b->f", 1);
    EXPECT("0x7f", 127);
    EXPECT("'\\n'", 10);
    EXPECT("0b101", 5);
    EXPECT("NULL", 0);
    EXPECT("true", 1);
}

static void test_operators(void)
{
    int i = -5;
    unsigned u = 4000000000u;
    size_t n = 3;
    EXPECT("i < u", i < (int)0 && (unsigned)i < u);
    EXPECT("i + 1", i + 1);
    EXPECT("i < n", (size_t)i < n);
    EXPECT("u + u", u + u);
    EXPECT("u * 2", u * 2);
    EXPECT("-u", -u);
    EXPECT("i / 2", i / 2);
    EXPECT("i % 3", i % 3);
    EXPECT("u / 7", u / 7);
    EXPECT("-i", 5);
    EXPECT("!i", 0);
    EXPECT("!!i", 1);
    EXPECT("c * 300", -38400);
    EXPECT("u == -294967296", u == (unsigned)-294967296);
    EXPECT("n - 4", n - 4);
    EXPECT("2147483647 + 1", INT32_MIN);
    EXPECT("2147483648 + 1", 2147483649);
    EXPECT("1 + 2 * 3 - 4 / 2", 5);
    EXPECT("(1 + 2) * 3", 9);
    EXPECT("10 - 3 - 2", 5);
    EXPECT("i < 0 && n > 2 || p->next->next->x", 1);
    EXPECT("0 && p->next->next->x || 7", 1);
    EXPECT("p != NULL && p->x == -7", 1);
    EXPECT("p == NULL || p->x", 1);
    EXPECT("bad == NULL", 0);
    EXPECT("p->next + 1 == p", 0);
    EXPECT("(p->next - p) * 24", 24);
    EXPECT("t == p->name", 1);
    EXPECT("1 < 2 == 1", 1);
    EXPECT("(-9223372036854775807 - 1) / -1", INT64_MIN);
    EXPECT("(-9223372036854775807 - 1) % -1", 0);
    EXPECT("st <= -9", 1);
    EXPECT("st >= -8", 0);
}

static void test_errors(void)
{
    EXPECT_ERROR("p->next->next->x", -EFAULT);
    EXPECT_ERROR("i / (n - 3)", -EDOM);
    EXPECT_ERROR("i % 0", -EDOM);
    EXPECT_ERROR("0 - (0 - 2147483647 - 1) / -1", 0);
}

static void test_ranges(void)
{
    EXPECT_RANGE("t", TEXT, MEMORY_AT + 5, 0, false);
    EXPECT_RANGE("p->name", TEXT, MEMORY_AT + 5, 6, false);
    EXPECT_RANGE("t[1:n]", BYTES, MEMORY_AT + 6, 2, false);
    EXPECT_RANGE("t[n:1]", BYTES, MEMORY_AT + 8, 0, false);
    EXPECT_RANGE("bad[0:16]", BYTES, 0x7000, 16, false);
    EXPECT_RANGE("p->next[0:2]", BYTES, MEMORY_AT + 32, 48, false);
    EXPECT_RANGE("p->next->next[0:2]", BYTES, 0, 48, true);
}

/* Before the call there is no return value, and maybe no vector registers. */
static void test_environment(void)
{
    struct manifest_env env = make_env();
    struct manifest_value v;
    double number;
    env.is_leave = false;
    if (manifest_eval(parse("return")->expr, &env, &v) != -EINVAL)
        failures++;
    const struct manifest_item *d = parse("d");
    if (manifest_eval(d->expr, &env, &v) || v.type != MANIFEST_VALUE_F64)
        failures++;
    memcpy(&number, &v.bits, 8);
    if (number < 2.5 || number > 2.5 || !manifest_expr_needs_freg(d->expr))
        failures++;
    env.freg = NULL;
    if (manifest_eval(parse("d")->expr, &env, &v) != -EINVAL)
        failures++;
    const struct manifest_item *ld = parse("ld");
    long double one = 1.0L;
    uint64_t words[2] = {0, 0};
    memcpy(words, &one, 10);
    if (manifest_eval(ld->expr, &env, &v) || v.type != MANIFEST_VALUE_F80 ||
        v.bits != words[0] || (v.bits_high & 0xffff) != words[1])
        failures++;
}

static void test_globs(void)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } globs[] = {
        {"*", "", 1},
        {"a*c", "abbc", 1},
        {"a*c", "abbd", 0},
        {"?", "", 0},
        {"[a-c]x", "bx", 1},
        {"[!a-c]x", "bx", 0},
        {"lib*.so*", "libx.so.1", 1},
        {"[", "[", 1},
        {"a[", "a[", 1},
        {"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
        {"\\*", "*", 1},
        {"\\*", "x", 0},
        {"[]]", "]", 1},
        {"", "", 1},
        {"", "a", 0},
    };
    for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
        if (manifest_match_glob(globs[i].pattern, globs[i].text) !=
            globs[i].matches) {
            fprintf(stderr, "glob %s on %s\n", globs[i].pattern, globs[i].text);
            failures++;
        }
}

int main(void)
{
    test_sources();
    test_operators();
    test_errors();
    test_ranges();
    test_environment();
    test_globs();
    if (failures)
        fprintf(stderr, "%d failures\n", failures);
    return failures != 0;
}
