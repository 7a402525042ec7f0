/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what a manifest was understood as, and the messages: the golden
 * tests compare its output. With --arena BYTES the arena is that large, so
 * that running out can be tried at every size.
 */
#include "dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_text(const struct manifest_type *t, char *buf,
                             size_t cap)
{
    static const char *const kinds[] = {"void",   "bool",  "int",    "float",
                                        "ptr",    "array", "record", "func",
                                        "opaque", "vector"};
    size_t stars = 0;
    while (t->kind == MANIFEST_POINTER && stars < 10) {
        t = t->to;
        stars++;
    }
    snprintf(buf, cap, "%s%s%s%s%" PRIu64 "%.*s",
             t->name ? t->name : kinds[t->kind], t->name ? ":" : "",
             t->name ? kinds[t->kind] : "", t->is_signed ? "/s" : "/",
             t->size_bytes, (int)stars, "**********");
    return buf;
}

static const char *place_text(struct manifest_place place, bool is_return,
                              char *buf, size_t cap)
{
    static const char *const in[] = {"rdi", "rsi", "rdx", "rcx", "r8", "r9"};
    static const char *const out[] = {"rax", "rdx"};
    static const char *const rest[] = {"nowhere", "",       "",       "",
                                       "st0",     "hidden", "unknown"};
    char part[2][16] = {"", ""};
    enum manifest_place_kind kinds[] = {place.kind, place.second_kind};
    uint32_t index[] = {place.index, place.second_index};
    for (int i = 0; i < 2; i++) {
        if (kinds[i] == MANIFEST_IREG)
            snprintf(part[i], 16, "%s",
                     is_return ? out[index[i]] : in[index[i]]);
        else if (kinds[i] == MANIFEST_FREG)
            snprintf(part[i], 16, "xmm%u", index[i]);
        else if (kinds[i] == MANIFEST_STACK)
            snprintf(part[i], 16, "stack+%u", index[i]);
        else if (i == 0)
            snprintf(part[i], 16, "%s", rest[kinds[i]]);
    }
    snprintf(buf, cap, "%s%s%s", part[0], *part[1] ? "," : "", part[1]);
    return buf;
}

static void dump_values(const struct manifest_decl *d)
{
    static const char *const kinds[] = {"input", "output", "attr"};
    static const char *const values[] = {
        "?",   "signed", "unsigned", "bool",  "pointer", "f32",
        "f64", "f80",    "text",     "bytes", "enum"};
    for (uint32_t i = 0; i < d->item_count; i++) {
        const struct manifest_item *item = &d->items[i];
        uint32_t reg, size;
        bool sign;
        printf("  %s %s = %s (%s)%s", kinds[item->direction], item->key,
               item->source, values[item->type],
               item->implied ? " implied" : "");
        if (manifest_expr_is_register(item->expr, &reg, &size, &sign))
            printf(" reg %u/%u%s", reg, size, sign ? "s" : "");
        printf("%s%s\n", manifest_expr_needs_freg(item->expr) ? " freg" : "",
               manifest_expr_needs_stack(item->expr) ? " stack" : "");
    }
    for (uint32_t i = 0; i < d->fails_count; i++)
        printf("  fails %s%s%s\n", d->fails[i].source,
               d->fails[i].code ? " with code" : "",
               d->fails[i].is_secret ? " secret" : "");
    for (uint32_t i = 0; i < d->benign_count; i++)
        printf("  benign %s%s\n", d->benign[i].source,
               d->benign[i].is_secret ? " secret" : "");
    for (uint32_t i = 0; i < d->secret_count; i++)
        printf("  secret %s\n", d->secrets[i]);
    for (uint32_t i = 0; i < d->flow_count; i++)
        printf("  flow %x%s%s%s%s\n", d->flows[i].role,
               d->flows[i].name ? " name " : "",
               d->flows[i].name ? d->flows[i].name : "",
               d->flows[i].is_many ? " many" : "",
               d->flows[i].rules ? " rules" : "");
}

static void dump_prototype(const struct manifest_decl *d)
{
    char type[256], place[64];
    if (!d->has_prototype)
        return;
    printf("  returns %s in %s\n", type_text(d->return_type, type, 256),
           place_text(d->return_place, true, place, 64));
    for (uint32_t i = 0; i < d->param_count; i++)
        printf("  param %s %s in %s\n",
               d->params[i].name ? d->params[i].name : "-",
               type_text(d->params[i].type, type, 256),
               place_text(d->params[i].place, false, place, 64));
}

static void dump_decl(const struct manifest_decl *d)
{
    static const char *const roles[] = {"span",  "root",    "event", "carry",
                                        "adopt", "forget",  "link",  "begin",
                                        "end",   "callback"};
    printf("decl %s", d->name);
    for (uint32_t i = 0; i < 10; i++)
        if (d->roles & 1u << i)
            printf(" %s", roles[i]);
    printf("%s%s%s\n", d->disabled ? " DISABLED" : "",
           d->capture_disabled ? " TIMES-ONLY" : "",
           d->is_variadic ? " variadic" : "");
    printf("  at %u:%u ident %s", d->at_source.line, d->at_source.column,
           d->ident ? d->ident : "-");
    if (d->match)
        printf(" match %s", d->match);
    if (d->symbol)
        printf(" symbol %s", d->symbol);
    if (d->file)
        printf(" file %s", d->file);
    if (d->has_at)
        printf(" at 0x%" PRIx64, d->at);
    printf("\n  object %d %s%s%s programs", (int)d->object->kind,
           d->object->pattern ? d->object->pattern : "-",
           d->object->build_id ? " build_id " : "",
           d->object->build_id ? d->object->build_id : "");
    for (uint32_t i = 0; i < d->program_count; i++)
        printf(" %s", d->programs[i].pattern);
    printf(" capture %d cap %u%s%s slow %" PRIu64 " overdue %" PRIu64 "%s\n",
           (int)d->settings.capture, d->settings.cap_bytes,
           d->settings.locals ? " locals" : "",
           d->settings.rewrite_pointers ? " rewrite" : "", d->slow_ns,
           d->overdue_ns, d->overdue_stop ? " stop" : "");
    dump_prototype(d);
    dump_values(d);
}

void dump_manifest(const struct manifest *m)
{
    for (uint32_t i = 0; i < m->program_count; i++) {
        printf("program %s", m->programs[i].pattern);
        for (uint32_t j = 0; j < m->programs[i].fails_count; j++)
            printf(" fails %s", m->programs[i].fails[j].source);
        printf("\n");
    }
    for (uint32_t i = 0; i < m->decl_count; i++)
        dump_decl(&m->decls[i]);
    printf("%u declarations, %u errors, %u warnings, %u not yet%s\n",
           m->decl_count, m->error_count, m->warning_count, m->not_yet_count,
           m->has_secret ? ", secrets" : "");
}

static char *read_file(const char *name, size_t *len)
{
    FILE *f = fopen(name, "rb");
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    if (!f)
        return NULL;
    for (size_t n = 1; n;) {
        if (cap - *len < 4096)
            text = realloc(text, cap += 65536);
        if (!text)
            abort();
        n = fread(text + *len, 1, cap - *len, f);
        *len += n;
    }
    fclose(f);
    return text;
}

/* The result is kept until the process ends: a test tool. */
static int load(void *context, const char *from, const char *name,
                const char **text, size_t *len, const char **shown)
{
    const char *slash = strrchr(from, '/');
    size_t cap = strlen(from) + strlen(name) + 2;
    char *path = malloc(cap);
    (void)context;
    if (!path)
        return -ENOMEM;
    if (slash && name[0] != '/')
        snprintf(path, cap, "%.*s/%s", (int)(slash - from), from, name);
    else
        snprintf(path, cap, "%s", name);
    *shown = path;
    *text = read_file(path, len);
    return *text ? 0 : -ENOENT;
}

static void report(void *context, const struct manifest_diagnostic *d)
{
    char buf[4096];
    (void)context;
    manifest_format_diagnostic(d, buf, sizeof(buf));
    fputs(buf, stdout);
}

int main(int argc, char **argv)
{
    struct manifest_host host = {.load = load, .report = report};
    struct manifest_arena arena = {.cap_bytes = 8 << 20};
    const struct manifest *m;
    size_t len;
    if (argc == 4 && strcmp(argv[1], "--arena") == 0)
        arena.cap_bytes = strtoul(argv[2], NULL, 0);
    else if (argc != 2)
        return 2;
    char *text = read_file(argv[argc - 1], &len);
    arena.base = malloc(arena.cap_bytes + 1);
    if (!text || !arena.base)
        return 2;
    int error = manifest_parse(argv[argc - 1], text, len, &host, &arena, &m);
    if (error)
        printf("manifest_parse: %s\n", strerror(-error));
    else
        dump_manifest(m);
    return error ? 1 : 0;
}
