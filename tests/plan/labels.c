/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of labels changes no answer: for every function of real objects,
 * the plan of its entry, the name at its address, and whose its middle and the
 * byte behind it are, with and without it.
 *
 *   labels FILE...
 */
#include "shim/plan/decode/decode.h"
#include "shim/plan/image/image.h"
#include "shim/plan/plan.h"
#include "tests/plan/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct both {
    struct plan_image plain, indexed;
    void *scratch;
    unsigned long functions, faults;
};

static bool is_same_around(const struct both *both, uint64_t pc)
{
    struct plan_symbol a = {0}, b = {0};
    int err_a = plan_image_symbol_around(&both->plain, pc, &a);
    int err_b = plan_image_symbol_around(&both->indexed, pc, &b);
    return err_a == err_b && (err_a != 0 || strcmp(a.name, b.name) == 0);
}

static int compare(void *context, const struct plan_symbol *symbol)
{
    struct both *both = context;
    struct plan_patch a = {0}, b = {0};
    struct plan_symbol at, indexed;
    int err_a = plan_entry_patch(&plan_decoder_zydis, &both->plain,
                                 symbol->vaddr, 0, both->scratch, &a);
    int err_b = plan_entry_patch(&plan_decoder_zydis, &both->indexed,
                                 symbol->vaddr, 0, both->scratch, &b);
    bool same = err_a == err_b && a.verdict == b.verdict &&
                a.displaced_bytes == b.displaced_bytes;
    int found_a = plan_image_symbol_at(&both->plain, symbol->vaddr, &at);
    int found_b = plan_image_symbol_at(&both->indexed, symbol->vaddr, &indexed);
    if (found_a == 0 && found_b == 0)
        same = same && strcmp(at.name, indexed.name) == 0;
    else
        same = same && found_a == found_b;
    same = same &&
           is_same_around(both, symbol->vaddr + symbol->size_bytes / 2) &&
           is_same_around(both, symbol->vaddr + symbol->size_bytes);
    both->functions++;
    if (!same && both->faults++ < 10)
        printf("%s: %s, with the index %s\n", symbol->name,
               plan_verdict_text(a.verdict), plan_verdict_text(b.verdict));
    return both->functions == 3000; /* each is a walk of all symbols */
}

static unsigned long check(const char *path, void *scratch)
{
    struct both both = {.scratch = scratch};
    struct stat st;
    const char *why = "cannot be read";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return printf("%s: %s\n", path, why) > 0;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED ||
        plan_image_file(&both.plain, bytes, (size_t)st.st_size, &why) != 0)
        return printf("%s: %s\n", path, why) > 0;
    void *branches = look_for_branches(&both.plain);
    both.indexed = both.plain;
    uint32_t *memory = malloc(plan_image_labels_bytes(&both.indexed));
    if (!memory)
        return 1;
    plan_image_index_labels(&both.indexed, memory);
    plan_image_each_function(&both.plain, compare, &both);
    printf("%s: %lu functions, %lu differ\n", path, both.functions,
           both.faults);
    free(memory);
    free(branches);
    munmap(bytes, (size_t)st.st_size);
    return both.faults + (both.functions == 0);
}

int main(int argc, char **argv)
{
    unsigned long faults = argc < 2;
    void *scratch = aligned_alloc(16, plan_scratch_bytes());
    for (int i = 1; scratch && i < argc; i++)
        faults += check(argv[i], scratch);
    free(scratch);
    return faults || !scratch;
}
