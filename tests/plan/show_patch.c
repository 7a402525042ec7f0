/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what plan_entry_patch() makes of a function: the verdict, how much
 * is displaced, and the disassembled copy. The golden tests compare this.
 *
 *   show_patch FILE SYMBOL [shadow]
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"
#include "tests/plan/look.h"

#include <Zydis/Zydis.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    COPY_AT = 0x1000000
};

static void show_copy(const struct plan_patch *patch)
{
    ZydisDisassembledInstruction insn;
    for (uint32_t at = 0; at < patch->copy_len; at += insn.info.length) {
        if (!ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64,
                                                COPY_AT + at, patch->copy + at,
                                                patch->copy_len - at, &insn))) {
            printf("  +%-3u ?\n", at);
            return;
        }
        printf("  +%-3u %s\n", at, insn.text);
    }
}

static void show(const struct plan_patch *patch)
{
    printf("%s", plan_verdict_text(patch->verdict));
    if (patch->place)
        printf(", from 0x%lx", (unsigned long)patch->place);
    printf("\n");
    if (patch->copy_len == 0)
        return;
    printf("jump at entry+%u, %u bytes displaced%s%s\n",
           (unsigned)(patch->patch_at - patch->entry), patch->displaced_bytes,
           patch->has_endbr ? ", endbr64 kept" : "",
           patch->pushes_return ? ", pushes the return address" : "");
    show_copy(patch);
}

static int run(struct plan_image *image, const char *name, void *scratch)
{
    struct plan_symbol symbol;
    struct plan_patch patch;
    if (plan_image_find_symbol(image, name, &symbol) < 0) {
        printf("no symbol %s\n", name);
        return 2;
    }
    int rc = plan_entry_patch(&plan_decoder_zydis, image, symbol.vaddr, COPY_AT,
                              scratch, &patch);
    if (rc < 0) {
        printf("error: %s\n", strerror(-rc));
        return 1;
    }
    show(&patch);
    return 0;
}

int main(int argc, char **argv)
{
    struct plan_image image;
    struct stat st;
    const char *why = "cannot be opened";
    int fd = argc > 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 2;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    void *scratch = malloc(plan_scratch_bytes());
    if (bytes == MAP_FAILED || scratch == NULL ||
        plan_image_file(&image, bytes, (size_t)st.st_size, &why) < 0) {
        printf("%s\n", why);
        return 2;
    }
    image.under_shadow_stack = argc > 3 && strcmp(argv[3], "shadow") == 0;
    void *branches = look_for_branches(&image);
    int rc = run(&image, argv[2], scratch);
    free(branches);
    free(scratch);
    return rc;
}
