/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the planner says of each function of an object, a line each: address,
 * verdict, place, name. scan.py compares two builds of this. Built from a tree
 * that does not look at whole objects yet, with -DWITHOUT_BRANCHES.
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct scan {
    struct plan_image image;
    void *scratch;
};

static int show(void *context, const struct plan_symbol *symbol)
{
    struct scan *s = context;
    struct plan_patch patch;
    unsigned long place = 0;
    if (symbol->vaddr == 0 || symbol->is_ifunc)
        return 0;
    int err = plan_entry_patch(&plan_decoder_zydis, &s->image, symbol->vaddr, 0,
                               s->scratch, &patch);
#ifndef WITHOUT_BRANCHES
    place = patch.place;
#endif
    printf("%lx\t%s\t%lx\t%s\n", (unsigned long)symbol->vaddr,
           err ? "error" : plan_verdict_text(patch.verdict), place,
           symbol->name);
    return 0;
}

int main(int argc, char **argv)
{
    struct scan s = {.scratch = malloc(plan_scratch_bytes())};
    struct stat st;
    const char *why;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || !s.scratch || fstat(fd, &st) != 0)
        return 2;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED ||
        plan_image_file(&s.image, bytes, (size_t)st.st_size, &why) != 0)
        return 1;
    size_t labels = plan_image_labels_bytes(&s.image);
    uint32_t *memory = labels ? malloc(labels) : NULL;
    if (memory)
        plan_image_index_labels(&s.image, memory);
#ifndef WITHOUT_BRANCHES
    size_t len = plan_image_branches_bytes(&s.image);
    void *branches = len ? calloc(1, len) : NULL;
    if (branches)
        (void)plan_image_find_branches(&s.image, branches);
#endif
    plan_image_each_function(&s.image, show, &s);
    return 0;
}
