/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan check: what a manifest comes to in a program, declaration by
 * declaration, before anything runs: bound or not, how, what is not seen and
 * why; and which text would be captured.
 */
#include "tools/cli/bindings.h"
#include "tools/cli/commands.h"
#include "tools/cli/manifest_file.h"
#include "tools/cli/program.h"
#include "tools/common/format.h"
#include "tools/common/json.h"
#include "tools/common/options.h"
#include "tools/common/term.h"
#include "tools/common/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATCH_MAX = 2000, /* as in the preload */
    STATUS_COLUMNS = 7,
    NAME_PART = 4, /* a quarter of the width at most */
};

struct check {
    const char *manifest_option;
    bool json;
    struct term term;
    struct manifest_file file;
    struct program program;
    struct objects objects;
    struct binding *bindings;
    size_t count;
    size_t totals[BINDING_STATUSES];
};

static const struct {
    const char *word, *total;
    enum term_style style;
} words[BINDING_STATUSES] = {
    [BINDING_OK] = {"ok", "ok", TERM_GREEN},
    [BINDING_PART] = {"part", "part", TERM_YELLOW},
    [BINDING_TIMES] = {"times", "times", TERM_YELLOW},
    [BINDING_LATER] = {"later", "later", TERM_CYAN},
    [BINDING_NONE] = {"NONE", "none", TERM_RED},
    [BINDING_ELSEWHERE] = {"other", "for other programs", TERM_DIM},
    [BINDING_ERROR] = {"ERROR", "error", TERM_RED},
};

/* ---- text --------------------------------------------------------------- */

static void where_text(const struct binding *b, char *out, size_t cap)
{
    if (b->function_count > 1)
        snprintf(out, cap, "%s functions",
                 format_count((int64_t)b->function_count).text);
    else
        snprintf(out, cap, "%s+0x%llx", b->object->name,
                 (unsigned long long)b->vaddr);
}

/* A glob stands for itself, others for their span. */
static const char *shown_name(const struct binding *b)
{
    return b->decl->match || !b->decl->name ? b->name : b->decl->name;
}

static const char *way_text(const struct binding *b)
{
    return b->ways == BINDING_ENTRY   ? "entry patch"
           : b->ways == BINDING_SLOTS ? "call slots"
                                      : "entry patch, call slots";
}

static const char *shim_text(const struct binding *b)
{
    return !b->zero_copy_count ? "F" : !b->frame_count ? "Z" : "F, Z";
}

static void print_binding(const struct check *c, const struct binding *b,
                          int name_columns, int where_columns)
{
    struct term_line l;
    struct buf text;
    char where[512];
    term_line_init(&l, &c->term);
    buf_init(&text, 8192);
    term_line_text(&l, words[b->status].style, words[b->status].word, -1);
    term_line_pad(&l, STATUS_COLUMNS);
    term_line_text(&l, TERM_PLAIN, shown_name(b), name_columns);
    int column = STATUS_COLUMNS + name_columns + 1;
    if (b->bound_count) {
        where_text(b, where, sizeof where);
        term_line_pad(&l, column);
        term_line_text(&l, TERM_PLAIN, where, -1);
        term_line_pad(&l, column + where_columns + 1);
        term_line_printf(&l, TERM_PLAIN, " %s %s", way_text(b), shim_text(b));
        term_line_pad(&l, l.column + 1);
        if (b->status == BINDING_OK)
            buf_text(&text, "every call");
        if (b->status == BINDING_OK && b->remark.len_bytes)
            buf_text(&text, "; ");
    }
    buf_text(&text, buf_get(&b->remark));
    bool fits =
        l.column + text_columns(buf_get(&text), c->term.utf8) <= c->term.width;
    if (b->bound_count && !fits)
        term_line_end(&l);
    term_line_pad(&l, column);
    term_line_wrap(&l, TERM_PLAIN, buf_get(&text), column);
    term_line_end(&l);
    term_line_free(&l);
    buf_free(&text);
}

static void print_bindings(const struct check *c)
{
    int name = 4, where = 8;
    for (size_t i = 0; i < c->count; i++) {
        const struct binding *b = &c->bindings[i];
        char text[512];
        int columns = text_columns(shown_name(b), c->term.utf8);
        int most = c->term.width / NAME_PART;
        columns = columns > most ? most : columns;
        name = columns > name ? columns : name;
        if (!b->bound_count)
            continue;
        where_text(b, text, sizeof text);
        columns = text_columns(text, c->term.utf8);
        where = columns > where ? columns : where;
    }
    for (size_t i = 0; i < c->count; i++)
        if (c->bindings[i].status != BINDING_ERROR)
            print_binding(c, &c->bindings[i], name, where);
}

/* Values that are text or raw bytes: what could say more than a number. */
static void print_captured(const struct check *c)
{
    struct buf text;
    bool any = false;
    buf_init(&text, 1 << 16);
    buf_text(&text, "Text captured: ");
    for (size_t i = 0; i < c->count; i++) {
        const struct manifest_decl *d = c->bindings[i].decl;
        bool may_bind = c->bindings[i].bound_count ||
                        c->bindings[i].status == BINDING_LATER;
        for (uint32_t j = 0; may_bind && j < d->item_count; j++) {
            const struct manifest_item *item = &d->items[j];
            if (item->type != MANIFEST_VALUE_TEXT &&
                item->type != MANIFEST_VALUE_BYTES)
                continue;
            buf_printf(&text, "%s%s.%s", any ? ", " : "",
                       d->name ? d->name : c->bindings[i].name, item->key);
            any = true;
        }
    }
    buf_printf(&text, "%s. Leaves this machine: no values.", any ? "" : "none");
    term_wrap(&c->term, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}

static void print_totals(const struct check *c, int status)
{
    struct buf text;
    bool any = false;
    buf_init(&text, 1024);
    buf_printf(&text, "%zu declaration%s: ", c->count,
               c->count == 1 ? "" : "s");
    for (int i = 0; i < BINDING_STATUSES; i++) {
        if (!c->totals[i])
            continue;
        buf_printf(&text, "%s%zu %s", any ? ", " : "", c->totals[i],
                   words[i].total);
        any = true;
    }
    buf_printf(&text, "%s. Exit status %d.", any ? "" : "none", status);
    term_wrap(&c->term, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}

static void print_legend(const struct check *c)
{
    size_t frames = 0, zero_copies = 0;
    for (size_t i = 0; i < c->count; i++) {
        frames += c->bindings[i].frame_count;
        zero_copies += c->bindings[i].zero_copy_count;
    }
    if (frames || zero_copies)
        term_wrap(&c->term, TERM_DIM,
                  "F: called from a frame of ours, proved that it has no stack "
                  "arguments; Z: called on the caller's own stack pointer.",
                  2);
    for (size_t i = 0; i < c->objects.missing_count; i++)
        printf("Not found: %s, which the program needs.\n",
               c->objects.missing[i]);
}

/* ---- JSON --------------------------------------------------------------- */

static void message_json(const struct manifest_message *m)
{
    static const char *const severities[] = {"note", "not_yet", "warning",
                                             "error"};
    struct cJSON *o = json_object();
    json_text(o, "kind", "message");
    json_text(o, "severity", severities[m->severity]);
    json_text(o, "file", m->file);
    json_int(o, "line", m->line);
    json_int(o, "column", m->column);
    json_text(o, "text", m->text);
    json_print(stdout, o);
}

static void binding_json(const struct binding *b)
{
    struct cJSON *o = json_object(), *captured = json_array();
    json_text(o, "kind", "declaration");
    json_text(o, "name", b->name);
    json_text(o, "span", b->decl->name);
    json_int(o, "line", b->decl->at_source.line);
    json_text(o, "status", words[b->status].total);
    json_int(o, "functions", (int64_t)b->function_count);
    json_int(o, "bound", (int64_t)b->bound_count);
    json_text(o, "object", b->object ? b->object->path : NULL);
    json_count(o, "address", b->object ? (int64_t)b->vaddr : -1);
    json_text(o, "binding", b->bound_count ? way_text(b) : NULL);
    json_int(o, "frame", (int64_t)b->frame_count);
    json_int(o, "zero_copy", (int64_t)b->zero_copy_count);
    json_text(o, "remark", b->remark.len_bytes ? buf_get(&b->remark) : NULL);
    for (uint32_t i = 0; i < b->decl->item_count; i++)
        if (b->decl->items[i].type == MANIFEST_VALUE_TEXT ||
            b->decl->items[i].type == MANIFEST_VALUE_BYTES)
            json_append_text(captured, b->decl->items[i].key);
    json_object_add(o, "text_captured", captured);
    json_print(stdout, o);
}

/* ---- command ------------------------------------------------------------ */

static size_t match_max(void)
{
    const char *value = getenv("HANDSPAN_MATCH_MAX");
    char *end;
    unsigned long n = value ? strtoul(value, &end, 10) : 0;
    return n > 0 && *end == 0 ? n : MATCH_MAX;
}

/* Declarations that are meant to bind. */
static bool is_handler(const struct manifest_decl *d)
{
    return (d->roles & MANIFEST_BOUND) || d->disabled;
}

static int decide(struct check *c)
{
    const struct manifest *m = c->file.manifest;
    struct bindings *b =
        bindings_new(&c->objects, c->objects.at[0].name, match_max());
    c->bindings = calloc(m->decl_count + 1, sizeof *c->bindings);
    if (!b || !c->bindings) {
        bindings_free(b);
        return options_trouble("out of memory");
    }
    for (uint32_t i = 0; i < m->decl_count; i++) {
        if (!is_handler(&m->decls[i]))
            continue;
        struct binding *one = &c->bindings[c->count++];
        bindings_decide(b, &m->decls[i], one);
        c->totals[one->status]++;
    }
    bindings_free(b);
    return 0;
}

static int print(const struct check *c)
{
    int status = c->totals[BINDING_NONE] || c->totals[BINDING_ERROR] ||
                         c->file.manifest->error_count
                     ? EXIT_FOUND
                     : EXIT_FINE;
    if (c->json) {
        json_print_schema(stdout);
        for (size_t i = 0; i < c->file.message_count; i++)
            message_json(&c->file.messages[i]);
        for (size_t i = 0; i < c->count; i++)
            binding_json(&c->bindings[i]);
        return status;
    }
    manifest_file_print(&c->file, stdout, true);
    print_bindings(c);
    print_legend(c);
    print_captured(c);
    print_totals(c, status);
    return status;
}

static int find_program(struct check *c, const char *name)
{
    int err = program_find(name, &c->program);
    if (err)
        return options_trouble("%s: %s", name,
                               err == -ENOENT
                                   ? "no such program (names without a slash "
                                     "are looked up in PATH)"
                               : err == -EACCES ? "is not executable"
                                                : strerror(-err));
    program_classify(&c->program);
    if (c->program.kind == PROGRAM_NATIVE)
        return 0;
    options_trouble("%s", c->program.why);
    if (c->program.kind != PROGRAM_SCRIPT)
        return EXIT_FOUND;
    char interpreter[PATHS_MAX];
    memcpy(interpreter, c->program.interpreter, sizeof interpreter);
    if (strcmp(interpreter, name) == 0)
        return EXIT_FOUND;
    return find_program(c, interpreter);
}

static int run(struct check *c, const char *program)
{
    char why[PATHS_MAX + 512];
    const char *manifest = c->manifest_option;
    const char *given = getenv("HANDSPAN_MANIFEST");
    if (!manifest)
        manifest = given && *given ? given : "handspan.manifest";
    if (manifest_file_load(manifest, &c->file, why, sizeof why) < 0)
        return options_trouble("%s%s", why,
                               c->manifest_option ? "" : " (give one with -m)");
    int status = find_program(c, program);
    if (status)
        return status;
    if (objects_load(c->program.path, &c->objects, why, sizeof why) < 0)
        return options_trouble("%s", why);
    status = decide(c);
    return status ? status : print(c);
}

int cmd_check(int argc, char **argv)
{
    struct check c = {0};
    const struct option_spec specs[] = {
        {"manifest", 'm', OPTION_TEXT, "FILE",
         "the manifest; else ./handspan.manifest", &c.manifest_option},
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &c.json},
    };
    const struct options o = {
        .command = "handspan check",
        .operands = "PROGRAM",
        .about = "What a manifest comes to in a program, without running it. "
                 "ok: bound; part: some\ncalls or functions are not seen; "
                 "times: no values; later: its object is not there\nat the "
                 "start; NONE: not bound. Exit status 1 when something is "
                 "not bound.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_min = 1,
        .operand_max = 1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    term_detect(&c.term, stdout);
    int status = run(&c, argv[0]);
    for (size_t i = 0; i < c.count; i++)
        buf_free(&c.bindings[i].remark);
    free(c.bindings);
    objects_free(&c.objects);
    manifest_file_free(&c.file);
    return status;
}
