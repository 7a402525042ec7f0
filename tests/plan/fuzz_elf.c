/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that are broken in every way must give errors or odd answers, never
 * a fault: truncated at each length, bytes flipped in the headers, the
 * dynamic section, the hash, symbols, relocations, unwind tables and code.
 * Built with the address sanitizer, the bytes in an allocation of their exact
 * size, so that one byte too far ends the test.
 *
 *   fuzz_elf FILE ROUNDS [SEED]
 */
#include "shim/plan/plan.h"
#include "tests/plan/look.h"
#include "shim/plan/image/unwind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct target {
    uint8_t *bytes;
    size_t len;
    void *scratch;
    struct plan_image image;
    int functions;
    uint64_t seen; /* so that nothing is optimized away */
};

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int resolve_here(void *context, const struct plan_image *image,
                        uint64_t slot, const struct plan_image **target,
                        uint64_t *vaddr)
{
    struct plan_slot found;
    (void)context;
    if (plan_image_find_slot(image, slot, &found) < 0)
        return -2;
    *target = image;
    *vaddr = found.definition;
    return 0;
}

static void try_address(struct target *t, uint64_t vaddr)
{
    struct plan_resolver resolver = {.resolve_slot = resolve_here};
    struct plan_patch patch;
    struct plan_fde fde;
    uint64_t end = 0, pad = 0;
    if (plan_image_function_extent(&t->image, vaddr, &end) == 0)
        t->seen += end;
    if (plan_fde_find(&t->image, vaddr, &fde) == 0 &&
        plan_fde_landing_pad(&t->image, &fde, vaddr + 5, &pad) == 0)
        t->seen += pad;
    if (plan_entry_patch(&plan_decoder_zydis, &t->image, vaddr, vaddr + 4096,
                         t->scratch, &patch) == 0)
        t->seen += patch.copy_len;
    t->seen += plan_prove_stack(&plan_decoder_zydis, &t->image, vaddr,
                                &resolver, t->scratch, NULL);
}

static int try_function(void *context, const struct plan_symbol *symbol)
{
    struct target *t = context;
    t->seen += strlen(symbol->name);
    try_address(t, symbol->vaddr);
    return ++t->functions > 12;
}

static int try_slot(void *context, const struct plan_slot *slot)
{
    struct target *t = context;
    t->seen += slot->definition + (slot->name ? strlen(slot->name) : 0);
    return 0;
}

static void try_image(struct target *t)
{
    static const char *const names[] = {"not_loop", "printf", "", "x"};
    struct plan_symbol symbol;
    const char *why = "";
    if (plan_image_file(&t->image, t->bytes, t->len, &why) < 0) {
        t->seen += strlen(why);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (plan_image_find_symbol(&t->image, names[i], &symbol) == 0)
            t->seen += symbol.vaddr;
    if (t->image.soname != NULL)
        t->seen += strlen(t->image.soname);
    if (t->image.interpreter != NULL)
        t->seen += strlen(t->image.interpreter);
    void *branches = look_for_branches(&t->image);
    t->functions = 0;
    plan_image_each_function(&t->image, try_function, t);
    plan_image_each_slot(&t->image, try_slot, t);
    for (int i = 0; i < 4; i++)
        try_address(t, next_random() % (t->len + 4096));
    free(branches);
    struct plan_image self = t->image;
    if (plan_image_add_symtab(&self, t->bytes, t->len, true) == 0)
        t->seen++;
}

/* Interesting words where a table starts, noise elsewhere. */
static void mutate(struct target *t, const uint8_t *original)
{
    static const uint64_t words[] = {0,          1,          0x7f,
                                     0xff,       0x7fffffff, 0xffffffff,
                                     UINT64_MAX, 1ull << 63, 0x1000};
    memcpy(t->bytes, original, t->len);
    int edits = 1 + (int)(next_random() % 6);
    for (int i = 0; i < edits; i++) {
        size_t at = next_random() % t->len;
        if (next_random() % 3 == 0) /* ELF and program headers */
            at = next_random() % (t->len < 800 ? t->len : 800);
        uint64_t value = next_random();
        if (value % 2 == 0)
            value = words[value / 2 % (sizeof words / sizeof *words)];
        size_t width = 1u << next_random() % 4;
        if (width > t->len - at)
            width = t->len - at;
        memcpy(t->bytes + at, &value, width);
    }
}

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long size = ftell(file);
    rewind(file);
    if (size > 0 && (bytes = malloc((size_t)size)) != NULL &&
        fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    *len = bytes != NULL ? (size_t)size : 0;
    return bytes;
}

static int try_length(struct target *t, const uint8_t *original, size_t len)
{
    t->bytes = malloc(len ? len : 1);
    t->len = len;
    if (t->bytes == NULL)
        return 1;
    memcpy(t->bytes, original, len);
    if (len > 0)
        try_image(t);
    free(t->bytes);
    return 0;
}

int main(int argc, char **argv)
{
    struct target t = {0};
    size_t len;
    if (argc < 3)
        return 2;
    uint8_t *original = read_file(argv[1], &len);
    long rounds = strtol(argv[2], NULL, 10);
    random_state = argc > 3 ? strtoull(argv[3], NULL, 0) : 0x9e3779b97f4a7c15;
    t.scratch = malloc(plan_scratch_bytes());
    if (original == NULL || t.scratch == NULL)
        return 2;
    memset(t.scratch, 0xa5, plan_scratch_bytes()); /* whatever was there */
    for (size_t cut = 0; cut < len; cut += 1 + cut / 24)
        if (try_length(&t, original, cut) != 0)
            return 2;
    t.bytes = malloc(len);
    t.len = len;
    for (long i = 0; i < rounds && t.bytes != NULL; i++) {
        mutate(&t, original);
        try_image(&t);
    }
    printf("%ld rounds, no fault (%llx)\n", rounds, (unsigned long long)t.seen);
    free(t.bytes);
    free(t.scratch);
    free(original);
    return 0;
}
