/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many functions of real libraries can be patched, and of how many the
 * proof says that they have no stack arguments: the figures of docs/plan.md.
 * A measuring tool, no part of the product.
 *
 *   plan_survey [-v] FILE...
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"
#include "tests/plan/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    STACKS = PLAN_STACK_COPIED + 1
};

struct survey {
    struct plan_image image;
    void *scratch;
    unsigned long functions, verdicts[PLAN_VERDICTS], stacks[STACKS], too_long;
    uint64_t steps;
    double look_ns, patch_ns, prove_ns, slowest_ns;
    uint64_t last;
    bool verbose;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* As if the object's own definitions were not interposed. */
static int resolve_here(void *context, const struct plan_image *image,
                        uint64_t slot, const struct plan_image **target,
                        uint64_t *vaddr)
{
    struct plan_slot found;
    (void)context;
    if (plan_image_find_slot(image, slot, &found) < 0 || !found.is_defined_here)
        return -2;
    *target = image;
    *vaddr = found.definition;
    return 0;
}

static void survey_patch(struct survey *s, const struct plan_symbol *symbol)
{
    struct plan_patch patch;
    double start = now_ns();
    int rc = plan_entry_patch(&plan_decoder_zydis, &s->image, symbol->vaddr,
                              symbol->vaddr + (1 << 28), s->scratch, &patch);
    s->patch_ns += now_ns() - start;
    s->verdicts[patch.verdict]++;
    if (s->verbose && (rc < 0 || patch.verdict != PLAN_OK))
        printf("%s: %s from 0x%lx\n", symbol->name,
               plan_verdict_text(patch.verdict), (unsigned long)patch.place);
}

static void survey_proof(struct survey *s, const struct plan_symbol *symbol)
{
    struct plan_resolver resolver = {.resolve_slot = resolve_here};
    struct plan_reason reason = {0};
    uint32_t steps = PLAN_ROUND_STEPS; /* a round of its own for each */
    double start = now_ns();
    enum plan_stack stack =
        plan_prove_within(&plan_decoder_zydis, &s->image, symbol->vaddr,
                          &resolver, s->scratch, &steps, &reason);
    double spent = now_ns() - start;
    s->steps += PLAN_ROUND_STEPS - steps;
    s->too_long += reason.text == plan_proof_too_long;
    s->prove_ns += spent;
    if (spent > s->slowest_ns)
        s->slowest_ns = spent;
    s->stacks[stack]++;
    if (s->verbose && stack != PLAN_STACK_LOCAL)
        printf("%s: %s: %s at %#lx\n", symbol->name, plan_stack_text(stack),
               reason.text ? reason.text : "-", (unsigned long)reason.vaddr);
}

static int survey_one(void *context, const struct plan_symbol *symbol)
{
    struct survey *s = context;
    if (symbol->size_bytes == 0 || strstr(symbol->name, ".cold") ||
        symbol->is_ifunc)
        return 0;
    s->functions++;
    survey_patch(s, symbol);
    survey_proof(s, symbol);
    return 0;
}

/* ---- fifty names of a manifest
 * ------------------------------------------------ */

enum {
    NAMES = 50
};

struct sample {
    const char *names[NAMES];
    unsigned long seen, every;
    int count;
};

static int take_name(void *context, const struct plan_symbol *symbol)
{
    struct sample *sample = context;
    if (symbol->is_exported && sample->seen++ % sample->every == 0)
        sample->names[sample->count++] = symbol->name;
    return sample->count == NAMES;
}

static void time_lookups(const struct survey *s)
{
    struct sample sample = {.every = 1 + s->functions / NAMES};
    struct plan_symbol found;
    int missed = 0;
    plan_image_each_function(&s->image, take_name, &sample);
    double start = now_ns();
    for (int i = 0; i < sample.count; i++)
        missed +=
            plan_image_find_symbol(&s->image, sample.names[i], &found) < 0;
    printf("    %d names found in %.1f us, %d missed\n", sample.count,
           (now_ns() - start) / 1e3, missed);
}

static void print_result(const struct survey *s, const char *path)
{
    double n = s->functions ? (double)s->functions : 1;
    const char *name = strrchr(path, '/');
    printf("%-28s %7lu  patch %5.1f %% %5.1f us  proved %5.1f %% %6.1f us, "
           "slowest %.1f ms, looked at in %.2f ms\n",
           name ? name + 1 : path, s->functions,
           100 * (double)s->verdicts[PLAN_OK] / n, s->patch_ns / n / 1e3,
           100 * (double)s->stacks[PLAN_STACK_LOCAL] / n, s->prove_ns / n / 1e3,
           s->slowest_ns / 1e6, s->look_ns / 1e6);
    printf("    %.0f steps each, %.0f ns a step, %lu proofs too long\n",
           (double)s->steps / n, s->prove_ns / (double)(s->steps + 1),
           s->too_long);
    for (int i = 1; i < PLAN_VERDICTS; i++)
        if (s->verdicts[i] > 0)
            printf("    %6lu %s\n", s->verdicts[i],
                   plan_verdict_text((enum plan_verdict)i));
    for (int i = 1; i < STACKS; i++)
        if (s->stacks[i] > 0)
            printf("    %6lu %s\n", s->stacks[i],
                   plan_stack_text((enum plan_stack)i));
}

static int survey_file(struct survey *s, const char *path)
{
    struct stat st;
    const char *why = "cannot be opened";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fprintf(stderr, "plan_survey: %s: %s\n", path, why);
        return 2;
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return 2;
    if (plan_image_file(&s->image, bytes, (size_t)st.st_size, &why) < 0) {
        fprintf(stderr, "plan_survey: %s: %s\n", path, why);
        return 2;
    }
    double start = now_ns();
    void *branches = look_for_branches(&s->image);
    s->look_ns = now_ns() - start;
    plan_image_each_function(&s->image, survey_one, s);
    print_result(s, path);
    time_lookups(s);
    free(branches);
    munmap(bytes, (size_t)st.st_size);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 0;
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    void *scratch = malloc(plan_scratch_bytes());
    for (int i = verbose ? 2 : 1; i < argc && scratch != NULL; i++) {
        struct survey s = {.scratch = scratch, .verbose = verbose};
        rc |= survey_file(&s, argv[i]);
    }
    free(scratch);
    return rc;
}
