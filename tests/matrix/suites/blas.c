/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenBLAS against sums by hand, and against the laws of linear algebra:
 * products, triangular solves, LU, Cholesky, QR, eigenvalues and singular
 * values, in four kinds of numbers, on one thread and on several. Prototypes by
 * hand: the library alone is there.
 */
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N = 90
};

typedef float _Complex cfloat;
typedef double _Complex cdouble;

void openblas_set_num_threads(int n);
double ddot_(const int *, const double *, const int *, const double *,
             const int *);
double dnrm2_(const int *, const double *, const int *);
int idamax_(const int *, const double *, const int *);
void cblas_dgemv(int, int, int, int, double, const double *, int,
                 const double *, int, double, double *, int);
void dgesv_(const int *, const int *, double *, const int *, int *, double *,
            const int *, int *);
void dpotrf_(const char *, const int *, double *, const int *, int *);
void dgels_(const char *, const int *, const int *, const int *, double *,
            const int *, double *, const int *, double *, const int *, int *);
void dsyev_(const char *, const char *, const int *, double *, const int *,
            double *, double *, const int *, int *);
void dgesvd_(const char *, const char *, const int *, const int *, double *,
             const int *, double *, double *, const int *, double *,
             const int *, double *, const int *, int *);
void zheev_(const char *, const char *, const int *, cdouble *, const int *,
            double *, cdouble *, const int *, double *, int *);

static unsigned state = 14;

static double next(void)
{
    state = state * 1103515245 + 12345;
    return (double)(state >> 16 & 0x3ff) / 512 - 1;
}

static void near(double got, double want, double most, const char *what)
{
    if (fabs(got - want) <= most * (1 + fabs(want)))
        return;
    printf("wrong: %s: %g, not %g\n", what, got, want);
    exit(1);
}

/* gemm, symm, syrk, trsm of one kind of numbers against sums by hand. */
#define KIND(letter, type, most)                                               \
    void letter##gemm_(const char *, const char *, const int *, const int *,   \
                       const int *, const type *, const type *, const int *,   \
                       const type *, const int *, const type *, type *,        \
                       const int *);                                           \
    void letter##symm_(const char *, const char *, const int *, const int *,   \
                       const type *, const type *, const int *, const type *,  \
                       const int *, const type *, type *, const int *);        \
    void letter##trsm_(const char *, const char *, const char *, const char *, \
                       const int *, const int *, const type *, const type *,   \
                       const int *, type *, const int *);                      \
    void letter##syrk_(const char *, const char *, const int *, const int *,   \
                       const type *, const type *, const int *, const type *,  \
                       type *, const int *);                                   \
    static type letter##_at(const type *m, int i, int j, char how)             \
    {                                                                          \
        return how == 'T' ? m[i * N + j] : m[j * N + i];                       \
    }                                                                          \
    static void letter##_kind(void)                                            \
    {                                                                          \
        static type a[N * N], b[N * N], c[N * N], d[N * N];                    \
        const type one = 1, half = 0.5;                                        \
        const int n = N;                                                       \
        for (int i = 0; i < N * N; i++) {                                      \
            a[i] = (type)next();                                               \
            b[i] = (type)next();                                               \
        }                                                                      \
        for (int k = 0; k < 4; k++) {                                          \
            char ta = k & 1 ? 'T' : 'N', tb = k & 2 ? 'T' : 'N';               \
            memset(c, 0, sizeof c);                                            \
            letter##gemm_(&ta, &tb, &n, &n, &n, &one, a, &n, b, &n, &half, c,  \
                          &n);                                                 \
            for (int i = 0; i < N; i += 7)                                     \
                for (int j = 0; j < N; j += 5) {                               \
                    type sum = 0;                                              \
                    for (int l = 0; l < N; l++)                                \
                        sum += letter##_at(a, i, l, ta) *                      \
                               letter##_at(b, l, j, tb);                       \
                    near(cabs((cdouble)(c[j * N + i] - sum)), 0, most,         \
                         #letter "gemm");                                      \
                }                                                              \
        }                                                                      \
        memset(d, 0, sizeof d);                                                \
        letter##syrk_("U", "N", &n, &n, &one, a, &n, &half, d, &n);            \
        memset(c, 0, sizeof c);                                                \
        letter##symm_("L", "U", &n, &n, &one, d, &n, b, &n, &half, c, &n);     \
        type sum = 0;                                                          \
        for (int l = 0; l < N; l++)                                            \
            sum += (l > 3 ? d[l * N + 3] : d[3 * N + l]) * b[2 * N + l];       \
        near(cabs((cdouble)(c[2 * N + 3] - sum)), 0, most * 10,                \
             #letter "symm");                                                  \
        for (int i = 0; i < N; i++)                                            \
            a[i * N + i] = 2 * N;                                              \
        memcpy(c, b, sizeof c);                                                \
        letter##trsm_("L", "L", "N", "N", &n, &n, &one, a, &n, c, &n);         \
        sum = 0;                                                               \
        for (int l = 0; l <= 50; l++)                                          \
            sum += a[l * N + 50] * c[9 * N + l];                               \
        near(cabs((cdouble)(sum - b[9 * N + 50])), 0, most, #letter "trsm");   \
    }
KIND(s, float, 1e-3)
KIND(d, double, 1e-11)
KIND(c, cfloat, 1e-3)
KIND(z, cdouble, 1e-11)

static void vectors(void)
{
    double x[N], y[N], sum = 0, most = 0;
    const int n = N, one = 1, back = -1;
    int at = 0;
    for (int i = 0; i < N; i++) {
        x[i] = next();
        y[i] = next();
        if (fabs(x[i]) > most) {
            most = fabs(x[i]);
            at = i + 1;
        }
    }
    for (int i = 0; i < N; i++)
        sum += x[i] * y[N - 1 - i];
    near(ddot_(&n, x, &one, y, &back), sum, 1e-12, "ddot");
    near(dnrm2_(&n, x, &one), sqrt(ddot_(&n, x, &one, x, &one)), 1e-12,
         "dnrm2");
    near(idamax_(&n, x, &one), at, 0, "idamax");
}

static void solves(void)
{
    static double a[N * N], l[N * N], x[N], b[N], work[64 * N];
    int pivot[N], info = 1;
    const int n = N, one = 1, room = 64 * N;
    for (int i = 0; i < N * N; i++)
        a[i] = l[i] = next();
    for (int i = 0; i < N; i++)
        x[i] = i + 1;
    cblas_dgemv(102, 111, N, N, 1, a, N, x, 1, 0, b, 1);
    dgesv_(&n, &one, l, &n, pivot, b, &n, &info);
    near(info, 0, 0, "dgesv");
    for (int i = 0; i < N; i++)
        near(b[i], i + 1, 1e-7, "dgesv");
    cblas_dgemv(102, 111, N, N, 1, a, N, x, 1, 0, b, 1);
    memcpy(l, a, sizeof l);
    dgels_("N", &n, &n, &one, l, &n, b, &n, work, &room, &info);
    near(b[N - 1], N, 1e-7, "dgels");
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            l[i * N + j] = i == j ? N : 1;
    dpotrf_("L", &n, l, &n, &info);
    near(info, 0, 0, "dpotrf");
    near(l[0], sqrt(N), 1e-12, "dpotrf");
}

/* The trace is the sum of the eigenvalues, the norm that of the squares. */
static void spectra(void)
{
    static double a[N * N], w[N], s[N], u[1], work[64 * N];
    static cdouble z[N * N], zwork[64 * N];
    const int n = N, one = 1, room = 64 * N;
    double trace = 0, norm = 0;
    int info = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++) {
            double v = next();
            a[i * N + j] = a[j * N + i] = v;
            z[i * N + j] = v + (i == j ? 0 : next()) * (cdouble)I;
            z[j * N + i] = conj(z[i * N + j]);
            trace += i == j ? v : 0;
            norm += (i == j ? 1 : 2) * v * v;
        }
    double copy[N * N];
    memcpy(copy, a, sizeof copy);
    dsyev_("V", "U", &n, a, &n, w, work, &room, &info);
    dgesvd_("N", "N", &n, &n, copy, &n, s, u, &one, u, &one, work, &room,
            &info);
    double sum = 0, squares = 0, singular = 0;
    for (int i = 0; i < N; i++) {
        sum += w[i];
        squares += w[i] * w[i];
        singular += s[i] * s[i];
    }
    near(sum, trace, 1e-9, "dsyev");
    near(squares, norm, 1e-9, "dsyev");
    near(singular, norm, 1e-9, "dgesvd");
    zheev_("N", "L", &n, z, &n, w, zwork, &room, work, &info);
    sum = 0;
    for (int i = 0; i < N; i++)
        sum += w[i];
    near(sum, trace, 1e-9, "zheev");
}

int main(void)
{
    for (int threads = 1; threads <= 4; threads += 3) {
        openblas_set_num_threads(threads);
        s_kind();
        d_kind();
        c_kind();
        z_kind();
        vectors();
        solves();
        spectra();
        printf("%d threads: right\n", threads);
    }
    return 0;
}
