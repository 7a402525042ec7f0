/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does plan_prove_stack() say of each function of an object what the first
 * word of its name demands?
 *
 *   local_ arguments_ tail_ indexed_ unknown_ caller_   exactly this
 *   not_                                        anything but local
 *   copiedN_                                    arguments, N bytes to copy
 *   uncopied_                                   arguments that cannot be copied
 *   others                                      not looked at
 *
 *   check_proof FILE...             once, every answer must be right
 *   check_proof --mutants FILE...   (built with PLAN_MUTABLE) with each rule
 *                                   of the prover off: some answer must be
 *                                   wrong, or the rule is not tested
 *   check_proof --truth FILE...     random programs: f*_S has stack arguments
 *                                   and uses them, f*_N has none
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"
#include "shim/plan/prove/prove_rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const words[] = {
    [PLAN_STACK_LOCAL] = "local_",     [PLAN_STACK_ARGUMENTS] = "arguments_",
    [PLAN_STACK_TAIL] = "tail_",       [PLAN_STACK_INDEXED] = "indexed_",
    [PLAN_STACK_UNKNOWN] = "unknown_", [PLAN_STACK_CALLER] = "caller_",
};

struct check {
    struct plan_image image;
    void *scratch;
    const char *path;
    bool quiet, is_truth;
    int functions, wrong;
    int truth_none, truth_none_proved;
};

static bool starts_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static bool is_right(struct check *c, const char *name, enum plan_stack got,
                     uint32_t args_bytes)
{
    size_t len = strlen(name);
    if (c->is_truth && name[0] == 'f' && len > 2 && name[len - 2] == '_') {
        bool none = name[len - 1] == 'N';
        c->truth_none += none;
        c->truth_none_proved += none && got == PLAN_STACK_LOCAL;
        c->functions++;
        return name[len - 1] != 'S' || got != PLAN_STACK_LOCAL;
    }
    if (starts_with(name, "uncopied_")) {
        c->functions++;
        return got == PLAN_STACK_ARGUMENTS;
    }
    if (starts_with(name, "copied")) {
        c->functions++;
        return got == PLAN_STACK_COPIED &&
               args_bytes == strtoul(name + 6, NULL, 10);
    }
    if (starts_with(name, words[PLAN_STACK_ARGUMENTS]) &&
        got == PLAN_STACK_COPIED)
        got = PLAN_STACK_ARGUMENTS;
    if (starts_with(name, "not_")) {
        c->functions++;
        return got != PLAN_STACK_LOCAL;
    }
    for (int i = 0; i <= PLAN_STACK_CALLER; i++) {
        if (!starts_with(name, words[i]))
            continue;
        c->functions++;
        return (int)got == i;
    }
    return true;
}

static int check_one(void *context, const struct plan_symbol *symbol)
{
    struct check *c = context;
    struct plan_reason reason = {0};
    if (strstr(symbol->name, ".cold") != NULL)
        return 0;
    enum plan_stack got =
        plan_prove_stack(&plan_decoder_zydis, &c->image, symbol->vaddr, NULL,
                         c->scratch, &reason);
    if (is_right(c, symbol->name, got, reason.args_bytes))
        return 0;
    c->wrong++;
    if (!c->quiet)
        printf("%s: %s: wrong: it %s (%s at %#lx)\n", c->path, symbol->name,
               plan_stack_text(got), reason.text ? reason.text : "-",
               (unsigned long)reason.vaddr);
    return 0;
}

static int check_file(struct check *c, const char *path)
{
    struct stat st;
    const char *why = "cannot be opened";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        printf("%s: %s\n", path, why);
        return 1;
    }
    c->path = path;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED ||
        plan_image_file(&c->image, bytes, (size_t)st.st_size, &why) < 0) {
        printf("%s: %s\n", path, why);
        return 1;
    }
    plan_image_each_function(&c->image, check_one, c);
    munmap(bytes, (size_t)st.st_size);
    return 0;
}

static int check_files(struct check *c, char **paths)
{
    for (; *paths != NULL; paths++)
        if (check_file(c, *paths) != 0)
            return 1;
    return 0;
}

#ifdef PLAN_MUTABLE
static int check_mutants(struct check *c, char **paths)
{
#define RULE_NAME(name) #name,
    static const char *const names[] = {PLAN_RULES(RULE_NAME)};
    int survivors = 0;
    c->quiet = true;
    for (int i = 0; i < RULE_COUNT; i++) {
        c->wrong = 0;
        plan_rule_off = i;
        if (check_files(c, paths) != 0)
            return 2;
        printf("%-18s off: %d wrong\n", names[i], c->wrong);
        survivors += c->wrong == 0;
    }
    printf("%d rules, %d not missed by any case\n", RULE_COUNT, survivors);
    return survivors > 0;
}
#else
static int check_mutants(struct check *c, char **paths)
{
    (void)c, (void)paths;
    printf("built without PLAN_MUTABLE\n");
    return 2;
}
#endif

int main(int argc, char **argv)
{
    struct check c = {0};
    int rc = 2, first = 1;
    bool mutants = argc > 1 && strcmp(argv[1], "--mutants") == 0;
    c.is_truth = argc > 1 && strcmp(argv[1], "--truth") == 0;
    first += mutants || c.is_truth;
    c.scratch = malloc(plan_scratch_bytes());
    if (c.scratch == NULL || first >= argc)
        goto out;
    if (mutants) {
        rc = check_mutants(&c, argv + first);
        goto out;
    }
    rc = check_files(&c, argv + first) != 0 || c.wrong > 0 || c.functions == 0;
    printf("%d functions, %d wrong\n", c.functions, c.wrong);
    if (c.is_truth)
        printf("%d without stack arguments, %d proved\n", c.truth_none,
               c.truth_none_proved);
    /* A prover that proves nothing is never wrong: that is not meant. */
    if (c.is_truth && c.truth_none_proved * 4 < c.truth_none)
        rc = 1;
out:
    free(c.scratch);
    return rc;
}
