/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work for every part of libgmp whose result is known, or is checked by another
 * way to it. Prints what it computed; fails where a law of arithmetic does.
 */
#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int holds, const char *law)
{
    if (holds)
        return;
    printf("wrong: %s\n", law);
    exit(1);
}

/* A digest of all digits: the last 16 of the number modulo a prime. */
static void show(const char *what, const mpz_t n)
{
    printf("%s: %zu digits, %lx\n", what, mpz_sizeinbase(n, 10),
           mpz_fdiv_ui(n, 0x7fffffffffffffe7ul));
}

static void factorials(void)
{
    static const char of_30[] = "265252859812191058636308480000000";
    mpz_t n, m, q;
    mpz_inits(n, m, q, NULL);
    mpz_fac_ui(n, 30);
    char *text = mpz_get_str(NULL, 10, n);
    check(strcmp(text, of_30) == 0, "30!");
    check(mpz_set_str(m, of_30, 10) == 0 && mpz_cmp(n, m) == 0, "set_str");
    free(text);
    mpz_fac_ui(n, 5000);
    mpz_fac_ui(m, 4990);
    mpz_bin_uiui(q, 5000, 10);
    mpz_mul(q, q, m);
    mpz_fac_ui(m, 10);
    mpz_mul(q, q, m);
    check(mpz_cmp(n, q) == 0, "5000! = binomial");
    show("5000!", n);
    mpz_primorial_ui(n, 2000);
    show("2000#", n);
    mpz_fib_ui(n, 10000);
    mpz_lucnum_ui(m, 10000);
    mpz_mul(q, n, m);
    mpz_fib_ui(n, 20000);
    check(mpz_cmp(n, q) == 0, "F(2n) = F(n) L(n)");
    show("F(20000)", n);
    mpz_clears(n, m, q, NULL);
}

/* Sizes that take each of the algorithms: by the book, Toom, FFT. */
static void products(gmp_randstate_t random)
{
    static const unsigned long bits[] = {64,    500,    3000,    20000,
                                         90000, 400000, 1000000, 3000000};
    mpz_t a, b, c, q, r;
    mpz_inits(a, b, c, q, r, NULL);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        mpz_urandomb(a, random, bits[i]);
        mpz_rrandomb(b, random, bits[i] * 2 / 3 + 1);
        mpz_mul(c, a, b);
        mpz_add_ui(c, c, 12345);
        mpz_tdiv_qr(q, r, c, b);
        mpz_submul(c, q, b);
        check(mpz_cmp(c, r) == 0 && mpz_cmpabs(r, b) < 0, "c = q b + r");
        mpz_mul(c, a, a);
        mpz_add(q, a, b);
        mpz_mul(q, q, q);
        mpz_sub(q, q, c);
        mpz_addmul(c, b, b);
        mpz_mul(r, a, b);
        mpz_mul_2exp(r, r, 1);
        mpz_add(q, q, c);
        mpz_sub(q, q, r);
        mpz_mul(r, b, b);
        mpz_mul_ui(r, r, 2);
        mpz_sub(q, q, r);
        mpz_mul(r, a, a);
        check(mpz_cmp(q, r) == 0, "(a + b)^2");
        show("product", c);
    }
    mpz_clears(a, b, c, q, r, NULL);
}

static void numbers(gmp_randstate_t random)
{
    mpz_t p, a, b, g, s, t, r;
    mpz_inits(p, a, b, g, s, t, r, NULL);
    mpz_ui_pow_ui(p, 2, 521);
    mpz_sub_ui(p, p, 1);
    check(mpz_probab_prime_p(p, 20) > 0, "2^521 - 1 is prime");
    mpz_urandomm(a, random, p);
    mpz_sub_ui(s, p, 1);
    mpz_powm(r, a, s, p);
    check(mpz_cmp_ui(r, 1) == 0, "Fermat");
    check(mpz_invert(b, a, p) != 0, "invert");
    mpz_mul(r, a, b);
    mpz_mod(r, r, p);
    check(mpz_cmp_ui(r, 1) == 0, "a / a");
    mpz_powm_sec(b, a, a, p);
    mpz_powm(r, a, a, p);
    check(mpz_cmp(r, b) == 0, "powm_sec");
    mpz_urandomb(a, random, 30000);
    mpz_urandomb(b, random, 29000);
    mpz_gcdext(g, s, t, a, b);
    mpz_mul(s, s, a);
    mpz_addmul(s, t, b);
    check(mpz_cmp(g, s) == 0, "Bezout");
    mpz_lcm(t, a, b);
    mpz_mul(t, t, g);
    mpz_mul(s, a, b);
    check(mpz_cmp(t, s) == 0, "gcd lcm = a b");
    mpz_sqrtrem(s, r, a);
    mpz_mul(t, s, s);
    mpz_add(t, t, r);
    check(mpz_cmp(t, a) == 0, "sqrtrem");
    mpz_pow_ui(t, s, 5);
    check(mpz_root(r, t, 5) && mpz_cmp(r, s) == 0, "root");
    check(mpz_perfect_power_p(t) != 0, "perfect power");
    check(mpz_jacobi(s, p) == mpz_legendre(s, p), "jacobi");
    mpz_nextprime(r, p);
    show("next prime", r);
    mpz_clears(p, a, b, g, s, t, r, NULL);
}

static void words(gmp_randstate_t random)
{
    mpz_t a, b;
    mpz_inits(a, b, NULL);
    for (int base = 2; base <= 62; base += 5) {
        mpz_urandomb(a, random, 4000u * (unsigned)base);
        char *text = mpz_get_str(NULL, base, a);
        check(mpz_set_str(b, text, base) == 0 && mpz_cmp(a, b) == 0, "base");
        free(text);
    }
    size_t count, bytes = 0;
    void *raw = mpz_export(NULL, &count, 1, 3, -1, 0, a);
    bytes = count * 3;
    mpz_import(b, bytes / 3, 1, 3, -1, 0, raw);
    check(mpz_cmp(a, b) == 0, "import");
    free(raw);
    mpz_com(b, a);
    mpz_and(b, b, a);
    check(mpz_sgn(b) == 0, "a & ~a");
    mpz_setbit(b, 77777);
    mpz_ior(a, a, b);
    mpz_xor(b, a, b);
    mpz_combit(b, 77777);
    check(mpz_cmp(a, b) == 0 && mpz_scan1(b, 77777) == 77777, "bits");
    gmp_printf("%Zd has %lu bits\n", b, mpz_popcount(b) + mpz_hamdist(a, b));
    mpz_clears(a, b, NULL);
}

/* e by two ways. */
static void fractions(void)
{
    mpq_t sum, term;
    mpf_t x, y;
    mpq_inits(sum, term, NULL);
    mpf_init2(x, 1000);
    mpf_init2(y, 1000);
    mpq_set_ui(sum, 0, 1);
    mpq_set_ui(term, 1, 1);
    for (unsigned long i = 1; i < 200; i++) {
        mpq_t n;
        mpq_add(sum, sum, term);
        mpq_init(n);
        mpq_set_ui(n, i, 1);
        mpq_div(term, term, n);
        mpq_clear(n);
    }
    mpf_set_q(x, sum);
    mpf_set_ui(y, 1);
    for (unsigned long i = 200; i > 0; i--) {
        mpf_div_ui(y, y, i);
        mpf_add_ui(y, y, 1);
    }
    mpf_sub(y, y, x);
    mpf_mul_2exp(y, y, 900);
    check(mpf_cmp_d(y, 1e-3) < 0 && mpf_cmp_d(y, -1e-3) > 0, "e");
    gmp_printf("e = %.290Ff\n", x);
    mpf_sqrt(y, x);
    mpf_pow_ui(y, y, 2);
    check(mpf_eq(x, y, 900) != 0, "sqrt");
    mpq_clears(sum, term, NULL);
    mpf_clears(x, y, NULL);
}

int main(void)
{
    gmp_randstate_t random;
    gmp_randinit_mt(random);
    gmp_randseed_ui(random, 14);
    factorials();
    products(random);
    numbers(random);
    words(random);
    fractions();
    gmp_randclear(random);
    return 0;
}
