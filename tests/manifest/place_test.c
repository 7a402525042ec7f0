/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement and record layout against the compiler: the harness of the
 * program that place_gen.py writes. What the manifest says of a parameter or
 * return value must find in real registers what C put there.
 */
#define _GNU_SOURCE
#include "place_probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

extern uint64_t probe_ireg[6], probe_stack, probe_rax, probe_rdx;
extern uint8_t probe_freg[8][16], probe_ret[2][16], probe_copy[1024];

static const struct manifest *manifest;
static struct manifest_env env;
static uint32_t failures, checked;
static bool reads_result; /* in the caller's frame, and not an argument */

static void show(void *context, const struct manifest_diagnostic *d)
{
    char buf[4096];
    (void)context;
    manifest_format_diagnostic(d, buf, sizeof(buf));
    fprintf(stderr, "%.600s\n", buf);
}

const struct manifest_decl *decl(uint32_t index)
{
    return &manifest->decls[index];
}

/* The arguments' stack is read as it was at the call. A wrong address must fail
 * this test and not end it. */
static size_t read_plain(void *context, void *dst, uint64_t addr, size_t n)
{
    (void)context;
    if (!reads_result && addr >= probe_stack &&
        addr + n <= probe_stack + 1024) {
        memcpy(dst, probe_copy + (addr - probe_stack), n);
        return n;
    }
    struct iovec to = {dst, n}, from = {(void *)(uintptr_t)addr, n};
    ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    return got < 0 ? 0 : (size_t)got;
}

void leave(void)
{
    env = (struct manifest_env){.ireg = probe_ireg,
                                .freg = (const uint8_t(*)[16])probe_freg,
                                .stack_args = probe_stack,
                                .is_leave = true,
                                .rax = probe_rax,
                                .rdx = probe_rdx,
                                .ret_freg = (const uint8_t(*)[16])probe_ret,
                                .read = read_plain};
}

static const struct manifest_item *find(const struct manifest_decl *d,
                                        const char *key, int line)
{
    for (uint32_t i = 0; i < d->item_count; i++)
        if (strcmp(d->items[i].key, key) == 0)
            return &d->items[i];
    for (uint32_t i = 0; i < d->param_count; i++)
        if (d->params[i].place.kind == MANIFEST_UNKNOWN &&
            d->params[i].type->kind == MANIFEST_INT &&
            d->params[i].type->size_bytes == 16)
            return NULL; /* compilers differ: nothing is said behind it */
    failures++;
    fprintf(stderr, "%d: %s has no %s\n", line, d->name, key);
    return NULL;
}

void check(const struct manifest_decl *d, const char *key, uint64_t bits,
           int line)
{
    struct manifest_value v;
    const struct manifest_item *item = find(d, key, line);
    if (!item)
        return;
    reads_result = item->direction == MANIFEST_OUTPUT;
    int error = manifest_eval(item->expr, &env, &v);
    checked++;
    if (error || v.bits != bits) {
        failures++;
        fprintf(stderr, "%d: %s.%s: %" PRIx64 " not %" PRIx64 " (%d): %s\n",
                line, d->name, key, v.bits, bits, error, item->source);
    }
}

void check_wide(const struct manifest_decl *d, const char *key, long double w,
                int line)
{
    struct manifest_value v;
    const struct manifest_item *item = find(d, key, line);
    if (!item)
        return;
    reads_result = false;
    int error = manifest_eval(item->expr, &env, &v);
    checked++;
    if (error || memcmp(&v.bits, &w, 8) != 0 ||
        memcmp(&v.bits_high, (const char *)&w + 8, 2) != 0) {
        failures++;
        fprintf(stderr, "%d: %s.%s differs (%d)\n", line, d->name, key, error);
    }
}

/* Sizes are not in the tree by name: find a parameter of that type. */
void check_size(const char *name, uint64_t size, uint64_t align)
{
    const char *tag = strchr(name, ' ') + 1;
    for (uint32_t i = 0; i < manifest->decl_count; i++)
        for (uint32_t j = 0; j < manifest->decls[i].param_count; j++) {
            const struct manifest_type *t = manifest->decls[i].params[j].type;
            if (t->kind != MANIFEST_RECORD || strcmp(t->name, tag) != 0)
                continue;
            checked++;
            if (t->size_bytes != size || t->align_bytes != align) {
                failures++;
                fprintf(stderr,
                        "%s: %" PRIu64 "/%u not %" PRIu64 "/%" PRIu64 "\n",
                        name, t->size_bytes, t->align_bytes, size, align);
            }
            return;
        }
}

int main(void)
{
    struct manifest_arena arena = {.cap_bytes = 64 << 20};
    struct manifest_host host = {.report = show};
    arena.base = malloc(arena.cap_bytes);
    if (!arena.base ||
        manifest_parse("place", place_manifest, strlen(place_manifest), &host,
                       &arena, &manifest) ||
        manifest->error_count) {
        fprintf(stderr, "the manifest was not understood\n");
        return 1;
    }
    place_run();
    printf("%u values checked, %u wrong\n", checked, failures);
    return failures || checked < 1000;
}
