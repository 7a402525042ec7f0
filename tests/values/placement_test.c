/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placement_test [-v] OBJECT...: every function that the debug information of
 * these objects has, its prototype made of it and placed by psABI 3.2.3,
 * compared with where DW_AT_location has the parameters at the first byte.
 * Prints the figures. A difference is a refusal with its reason by
 * construction; in code of gcc, which gives a function another name when it
 * changes its parameters, it is a fault of the types or of manifest/meaning/place.c,
 * and fails the test. -v lists what differs.
 */
#include <dwarf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "manifest/manifest.h"
#include "tools/common/text/buf.h"
#include "tools/dwarf/debug_internal.h"
#include "tools/dwarf/location.h"
#include "tools/dwarf/types.h"

enum {
    CHUNK = 1000, /* functions asked for at once */
    ARENA_BYTES = 256 << 20,
};
struct function {
    uint64_t vaddr;
    char *name;
    bool is_gcc, is_renamed;
};
struct figures {
    size_t functions, prototypes, params, told, moved, absent, later, doubtful;
    size_t moved_of_gcc;
};
struct test {
    const char *path;
    struct function *at;
    size_t count, cap, base; /* base: of the chunk */
    struct figures of;
    bool is_verbose;
};

static int collect(void *context, Dwarf_Die *die)
{
    struct test *t = context;
    Dwarf_Addr low;
    if (dwarf_tag(die) != DW_TAG_subprogram || !debug_entry_pc(die, &low))
        return 0;
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 1024;
        t->at = realloc(t->at, t->cap * sizeof *t->at);
        if (!t->at)
            abort();
    }
    const char *name = debug_linkage_name(die);
    t->at[t->count++] = (struct function){low, strdup(name ? name : "?"),
                                          location_is_gcc(die), false};
    return 0;
}

/* The symbols with a dot in their names: what gcc made of a function, with
 * other parameters. Its entry has the function's own name. */
static void find_renamed(struct test *t, Elf *elf)
{
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));) {
        GElf_Shdr shdr;
        GElf_Sym sym;
        Elf_Data *data = elf_getdata(s, NULL);
        if (!gelf_getshdr(s, &shdr) || shdr.sh_type != SHT_SYMTAB || !data)
            continue;
        for (int i = 0; gelf_getsym(data, i, &sym); i++) {
            const char *name = elf_strptr(elf, shdr.sh_link, sym.st_name);
            for (size_t j = 0; name && strchr(name, '.') && j < t->count; j++)
                if (t->at[j].vaddr == sym.st_value)
                    t->at[j].is_renamed = true;
        }
    }
}

static void report(void *context, const struct manifest_diagnostic *d)
{
    struct test *t = context;
    const char *at = strstr(d->line, "[[span]] f");
    if (!at || !strstr(d->text, "has no value"))
        return;
    const struct function *f = &t->at[atoi(at + 10)];
    bool is_moved = strstr(d->text, "has it in") != NULL;
    if (is_moved) {
        t->of.moved++;
        t->of.moved_of_gcc += f->is_gcc && !f->is_renamed;
    } else if (strstr(d->text, "is not passed")) {
        t->of.absent++;
    } else if (strstr(d->text, "only later")) {
        t->of.later++;
    } else {
        t->of.doubtful++;
    }
    if (t->is_verbose || (is_moved && f->is_gcc && !f->is_renamed))
        printf("  %s (0x%llx): %s\n", f->name, (unsigned long long)f->vaddr,
               d->text);
}

static void count(struct test *t, const struct manifest *m)
{
    for (uint32_t i = 0; i < m->decl_count; i++) {
        t->of.prototypes += m->decls[i].has_prototype;
        t->of.params += m->decls[i].param_count;
    }
}

/* Of `args("?: rdi, -")`: how many are told. */
static size_t count_told(const char *text)
{
    size_t told = 0;
    for (const char *at = text; (at = strstr(at, "args(\"")); at++) {
        const char *one = strchr(at, ':');
        const char *end = strstr(at, "\")");
        for (; one && end && one < end; one = strchr(one + 1, ','))
            told += one[1] == ' ' && one[2] != '?' && one + 1 < end;
    }
    return told;
}

static int judge_chunk(struct test *t, size_t from, size_t to, char *arena)
{
    struct debug_types *types = debug_types_new();
    struct buf source;
    char name[32];
    const struct manifest *manifest;
    if (!types || debug_types_add_object(types, t->path) != 0)
        return 1;
    buf_init(&source, 1 << 20);
    for (size_t i = from; i < to; i++) {
        snprintf(name, sizeof name, "f%zu", i);
        struct debug_types_function f = {
            .object = t->path, .vaddr = t->at[i].vaddr, .name = name};
        debug_types_want_function(types, &f);
        buf_printf(&source, "[[span]] f%zu;\n", i);
    }
    int err = debug_types_find(types);
    const char *text = debug_types_text(types);
    struct manifest_types given = {"types", text, strlen(text)};
    struct manifest_host host = {
        .context = t, .report = report, .types = &given};
    struct manifest_arena memory = {arena, 0, ARENA_BYTES};
    err = err < 0 ? err
                  : manifest_parse("m", buf_get(&source), source.len_bytes,
                                   &host, &memory, &manifest);
    if (!err)
        count(t, manifest);
    t->of.told += count_told(text);
    buf_free(&source);
    debug_types_free(types);
    return err;
}

static int judge(struct test *t, char *arena)
{
    struct debug *d;
    int err = debug_open(t->path, &d);
    if (err)
        return err;
    err = debug_walk(d, collect, t);
    find_renamed(t, d->elf);
    debug_close(d);
    for (size_t i = 0; !err && i < t->count; i += CHUNK)
        err = judge_chunk(t, i, i + CHUNK < t->count ? i + CHUNK : t->count,
                          arena);
    t->of.functions = t->count;
    for (size_t i = 0; i < t->count; i++)
        free(t->at[i].name);
    free(t->at);
    return err;
}

int main(int argc, char **argv)
{
    char *arena = malloc(ARENA_BYTES);
    size_t functions = 0, faults = 0;
    bool is_verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    for (int i = 1 + is_verbose; arena && i < argc; i++) {
        struct test t = {.path = argv[i], .is_verbose = is_verbose};
        int err = judge(&t, arena);
        const struct figures *f = &t.of;
        if (err) {
            printf("%s: %s\n", argv[i], strerror(-err));
            continue;
        }
        printf("%s: %zu functions, %zu prototypes, %zu parameters, %zu told; "
               "elsewhere %zu (%zu of gcc), not passed %zu, later %zu, "
               "doubtful %zu\n",
               argv[i], f->functions, f->prototypes, f->params, f->told,
               f->moved, f->moved_of_gcc, f->absent, f->later, f->doubtful);
        functions += f->functions;
        faults += f->moved_of_gcc;
    }
    free(arena);
    printf("%zu functions, %zu faults\n", functions, faults);
    return functions == 0 ? 77 : faults != 0;
}
