/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan suggest: a draft manifest on stdout, ready to edit. Every line of
 * it is accepted by `check` as it stands; comments say what a function is,
 * where, and what could not be known.
 */
#include "tools/cli/command/commands.h"
#include "tools/cli/program/program.h"
#include "tools/cli/suggest/suggest_choose.h"
#include "tools/common/confine.h"
#include "tools/common/text/format.h"
#include "tools/common/options.h"
#include "tools/common/text/text.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libstdc++'s; its header is C++. */
char *__cxa_demangle(const char *mangled, char *buf, size_t *len_bytes,
                     int *status);

/* ---- one function ------------------------------------------------------- */

static bool is_identifier(const char *name)
{
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || name[n] == '_')
        n++;
    return n > 0 && name[n] == 0 && !isdigit((unsigned char)*name);
}

/* "etl::Loader::load" of "etl::Loader::load(int)", without return type. */
static void qualified_name(const char *demangled, char *out, size_t cap)
{
    size_t end = 0, start = 0;
    int depth = 0;
    for (size_t i = 0; demangled[i]; i++) {
        char c = demangled[i];
        depth += (c == '<') - (c == '>');
        if (c == '(' && depth == 0 && i) {
            end = i;
            break;
        }
        if (c == ' ' && depth == 0)
            start = i + 1;
    }
    end = end ? end : strlen(demangled);
    snprintf(out, cap, "%.*s", (int)(end - start), demangled + start);
}

static void last_identifier(const char *qualified, char *out, size_t cap)
{
    size_t end = strcspn(qualified, "<");
    size_t start = end;
    while (start > 0 && (isalnum((unsigned char)qualified[start - 1]) ||
                         qualified[start - 1] == '_'))
        start--;
    snprintf(out, cap, "%.*s", (int)(end - start), qualified + start);
    if (!is_identifier(out))
        snprintf(out, cap, "function");
}

static void print_comment(const struct candidate *c)
{
    static const char *const kinds[SUGGEST_KINDS] = {
        NULL, NULL, "called by the program", NULL, NULL, NULL, NULL};
    bool any = false;
    printf("// ");
    if (c->debug.is_known)
        any =
            printf("%s:%u", text_shown(c->debug.file).text, c->debug.line) > 0;
    else if (c->object)
        any = printf("0x%llx, %s bytes", (unsigned long long)c->vaddr,
                     format_count((int64_t)c->size_bytes).text) > 0;
    if (c->note)
        any = printf("%s%s", any ? "; " : "", text_shown(c->note).text) > 0;
    if (kinds[c->kind])
        any = printf("%s%s", any ? "; " : "", kinds[c->kind]) > 0;
    if (c->debug.is_known && !c->debug.prototype)
        printf("; takes or returns what cannot be written here: times only");
    printf("%s\n", any ? "" : "a function");
}

static void print_values(const struct candidate *c)
{
    if (c->debug.prototype && c->debug.inputs)
        printf(", input(%s)", c->debug.inputs);
    if (c->debug.prototype && c->debug.secrets)
        printf(", secret(%s)", c->debug.secrets);
}

/* The prototype has one %s, for the name. */
static void print_declarator(const struct candidate *c, const char *name)
{
    const char *at =
        c->debug.prototype ? strstr(c->debug.prototype, "%s") : NULL;
    if (!at)
        return;
    printf(" %.*s%s%s", (int)(at - c->debug.prototype), c->debug.prototype,
           name, at + 2);
}

static void print_cxx(const struct candidate *c, const char *demangled)
{
    char qualified[1024], label[256];
    qualified_name(demangled, qualified, sizeof qualified);
    last_identifier(qualified, label, sizeof label);
    bool plain = !strpbrk(demangled, "\"\\{");
    printf("[[span(\"%s\"), symbol(\"%s\")", plain ? qualified : label,
           plain ? demangled : c->name);
    print_values(c);
    printf("]]");
    print_declarator(c, label);
    printf(";\n");
}

/* Symbol tables hold any bytes. */
static bool fits_in_string(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || strchr("\"\\\x7f", *name))
            return false;
    return true;
}

static void print_candidate(const struct candidate *c)
{
    int status = -1;
    if (c->name && !fits_in_string(c->name)) {
        printf("// %s: no manifest can hold this name\n",
               text_shown(c->name).text);
        return;
    }
    char *demangled = c->name && strncmp(c->name, "_Z", 2) == 0
                          ? __cxa_demangle(c->name, NULL, NULL, &status)
                          : NULL;
    print_comment(c);
    if (!c->name) {
        printf("[[span(\"%s_%llx\"), at(0x%llx)]];\n",
               c->kind == SUGGEST_TABLE || c->kind == SUGGEST_BUILTIN
                   ? "table"
                   : "callback",
               (unsigned long long)c->vaddr, (unsigned long long)c->vaddr);
    } else if (demangled && status == 0) {
        print_cxx(c, demangled);
    } else if (!is_identifier(c->name)) {
        printf("[[span, symbol(\"%s\")]];\n", c->name);
    } else if (c->debug.prototype) {
        printf("[[span");
        print_values(c);
        printf("]]");
        print_declarator(c, c->name);
        printf(";\n");
    } else {
        printf("[[span]] %s;\n", c->name);
    }
    free(demangled);
}

/* ---- all ---------------------------------------------------------------- */

static void print_scope(const struct candidate *c)
{
    const struct plan_image *image = c->object ? &c->object->image : NULL;
    printf("\n");
    if (!c->object) {
        printf("[[object(\"%s\")]];\n", c->plugins ? c->plugins : "*.so");
    } else if (c->object->kind == OBJECT_MAIN) {
        printf("[[object(main");
        if (!c->name && image->build_id_len) {
            printf(", build_id(\"");
            for (uint32_t i = 0; i < image->build_id_len && i < 8; i++)
                printf("%02x", image->build_id[i]);
            printf("\")");
        }
        printf(")]];\n");
    } else {
        /* libx.so.3.1: any libx.so */
        const char *so = strstr(c->object->name, ".so");
        int n =
            so ? (int)(so - c->object->name) + 3 : (int)strlen(c->object->name);
        printf("[[object(\"%.*s*\")]];\n", n, c->object->name);
    }
}

/* Addresses are of one build, so they get a scope of their own. */
static bool is_same_scope(const struct candidate *a, const struct candidate *b)
{
    return a && a->object == b->object && !a->name == !b->name &&
           (a->object || strcmp(a->plugins ? a->plugins : "",
                                b->plugins ? b->plugins : "") == 0);
}

/* A name as a glob in a string of a manifest: what could end the string, or is
 * not for a screen, is anything. */
static void print_glob(const char *name)
{
    for (; *name; name++)
        putchar(strchr("\"\\\x7f", *name) || (unsigned char)*name < 0x20 ? '?'
                : (unsigned char)*name > 0x7f                            ? '*'
                                              : *name);
}

static void print_head(const struct objects *objects, const char *called,
                       const struct suggest_notes *notes)
{
    const struct object *main = &objects->at[0];
    printf("// Draft for %s, by handspan suggest. Delete what does not "
           "matter,\n// then: handspan check -m FILE %s\n",
           text_shown(main->path).text, text_shown(main->path).text);
    if (!main->image.symtab_count)
        printf("// %s is stripped: its static functions have no names. Those "
               "that a table or a\n// registration leads to stand by address, "
               "for this build alone; others are not known.\n",
               text_shown(main->name).text);
    if (notes->without_debug)
        printf("// No debug information for %zu object%s: names alone, so "
               "calls are timed and no\n// value is known. Paste prototypes "
               "from the headers for arguments and rules.\n",
               notes->without_debug, notes->without_debug == 1 ? "" : "s");
    if (notes->beyond)
        printf("// %zu more were left out; handspan suggest %s 'GLOB' shows "
               "those of a name.\n",
               notes->beyond, text_shown(main->path).text);
    if (!called)
        return; /* of a library: whoever loads it */
    fputs("[[program(\"", stdout);
    print_glob(called);
    puts("\")]];");
}

static size_t print_all(const struct objects *objects, const char *called,
                        const struct suggestions *s,
                        const struct suggest_notes *notes)
{
    const struct candidate *last = NULL;
    size_t count = 0;
    print_head(objects, called, notes);
    for (int named = 1; named >= 0; named--)
        for (size_t i = 0; i < s->count; i++) {
            const struct candidate *c = &s->at[i];
            if (c->is_left_out || (c->name != NULL) != named)
                continue;
            if (!is_same_scope(last, c))
                print_scope(c);
            print_candidate(c);
            last = c;
            count++;
        }
    return count;
}

static int suggest(const char *name, const struct suggest_choice *choice)
{
    struct program program;
    struct objects objects = {0};
    struct suggestions list;
    struct suggest_notes notes;
    char why[PATHS_MAX + 512];
    int err = program_find_file(name, &program);
    if (err)
        return options_trouble("%s: %s", name,
                               err == -ENOENT ? "no such program"
                                              : strerror(-err));
    program_classify(&program);
    if (program.kind == PROGRAM_SCRIPT)
        return options_trouble("%s", program.why);
    bool is_library = program.kind == PROGRAM_LIBRARY;
    if (program.kind != PROGRAM_NATIVE && !is_library)
        options_trouble("%s", program.why);
    if (objects_load(program.path, &objects, why, sizeof why) < 0)
        return options_trouble("%s", why);
    if (objects.at[0].image.is_go) {
        objects_free(&objects);
        options_trouble("'%s' is written in Go: its functions cannot be traced",
                        program.path);
        return EXIT_FOUND;
    }
    if (is_library)
        objects.at[0].kind = OBJECT_PLAIN;
    err = suggest_choose(&objects, choice, &list, &notes);
    const char *called = is_library ? NULL : bind_basename(program.path);
    size_t count = err ? 0 : print_all(&objects, called, &list, &notes);
    suggest_free(&list);
    objects_free(&objects);
    if (err)
        return options_trouble("%s", strerror(-err));
    return count ? EXIT_FINE : EXIT_FOUND;
}

int cmd_suggest(int argc, char **argv)
{
    const struct options o = {
        .command = "handspan suggest",
        .operands = "PROGRAM [GLOB...]",
        .about = "A draft manifest for a program, on stdout: what it and its "
                 "libraries are likely to\nwork in, by name, size, tables of "
                 "functions, registration calls and plugin folders;\nwith "
                 "prototypes where there is debug information. With GLOBs: "
                 "all functions of\nthose names. Exit status 1 when there is "
                 "nothing to suggest.",
        .operand_min = 1,
        .operand_max = -1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    /* a program that anybody may have built */
    (void)confine(CONFINE_READER, NULL);
    struct suggest_choice choice = {argv + 1, (size_t)operands - 1};
    return suggest(argv[0], &choice);
}
