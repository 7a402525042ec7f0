/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handspan check: what a manifest comes to in a program, declaration by
 * declaration, before anything runs: bound or not, how, what is not seen and
 * why; and which text would be captured.
 */
#include "tools/cli/check/bindings.h"
#include "bind/names.h"
#include "tools/cli/check/check_print.h"
#include "shim/plan/plan.h"
#include "tools/cli/check/check_trace.h"
#include "tools/cli/command/commands.h"
#include "tools/cli/check/kept.h"
#include "tools/cli/program/manifest_file.h"
#include "tools/cli/program/program.h"
#include "tools/cli/program/types.h"
#include "tools/common/confine.h"
#include "tools/common/text/format.h"
#include "tools/common/text/json.h"
#include "tools/common/options.h"
#include "tools/common/text/term.h"
#include "tools/common/text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MATCH_MAX = 2000, /* as in the preload */
};

struct check {
    const char *manifest_option;
    bool json;
    struct term term;
    struct manifest_file file;
    struct types types; /* with which the file was parsed */
    struct program program;
    char called[256]; /* its basename, as it was given */
    struct objects objects;
    struct binding *bindings;
    size_t count;
    size_t totals[BINDING_STATUSES];
    struct buf without; /* objects without debug information */
};

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

/* What it masks, for who asks whether the token is safe. */
static void put_secrets(struct buf *text, const struct manifest_decl *d)
{
    for (uint32_t i = 0; i < d->secret_count; i++)
        buf_printf(text, "%s%s", i ? ", " : "; masked: ", d->secrets[i]);
}

/* What it may do to a program that hangs. */
static void put_overdue(struct buf *text, const struct manifest_decl *d)
{
    if (d->overdue_ns)
        buf_printf(text, "; overdue after %s%s",
                   format_duration((int64_t)d->overdue_ns, false).text,
                   d->overdue_stop ? ", its thread is stopped then" : "");
}

static void make_row(const struct binding *b, struct check_row *row)
{
    row->status = b->status;
    row->name = shown_name(b);
    buf_init(&row->text, 8192);
    if (b->bound_count) {
        where_text(b, row->where, sizeof row->where);
        snprintf(row->how, sizeof row->how, "%s %s", check_way_text(b->ways),
                 check_shim_text(b->frame_count, b->zero_copy_count));
        if (b->status == BINDING_OK) {
            buf_text(&row->text, "every call");
            put_secrets(&row->text, b->decl);
            put_overdue(&row->text, b->decl);
        }
        if (b->status == BINDING_OK && b->remark.len_bytes)
            buf_text(&row->text, "; ");
    }
    buf_text(&row->text, buf_get(&b->remark));
    if (b->hint)
        buf_printf(&row->text, "%s%s", row->text.len_bytes ? "; " : "",
                   b->hint);
}

static void print_bindings(const struct check *c)
{
    struct check_row *rows = calloc(c->count + 1, sizeof *rows);
    size_t count = 0;
    if (!rows)
        return;
    for (size_t i = 0; i < c->count; i++)
        if (c->bindings[i].status != BINDING_ERROR)
            make_row(&c->bindings[i], &rows[count++]);
    check_rows_print(&c->term, rows, count);
    for (size_t i = 0; i < count; i++)
        buf_free(&rows[i].text);
    free(rows);
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
    buf_printf(&text, "%s. Leaves this machine: ", any ? "" : "none");
    kept_leaves(&text);
    buf_char(&text, '.');
    term_wrap(&c->term, TERM_PLAIN, buf_get(&text), 2);
    buf_free(&text);
}

/* Whose failures bring arguments and locals of every frame along. */
static void print_locals(const struct check *c)
{
    struct buf text;
    bool has_secret = false;
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < c->count; i++) {
        const struct manifest_decl *d = c->bindings[i].decl;
        has_secret |= d->secret_count > 0;
        if (d->settings.locals && d->roles & (MANIFEST_SPAN | MANIFEST_ROOT))
            buf_printf(&text, "%s%s", text.len_bytes ? ", " : "",
                       d->name ? d->name : c->bindings[i].name);
    }
    char *names = text.len_bytes ? strdup(buf_get(&text)) : NULL;
    buf_reset(&text);
    buf_printf(&text,
               has_secret ? "locals(\"on\") of %s has no effect: the manifest "
                            "has secret()."
                          : "Arguments and locals of failed calls: %s.",
               names ? names : "");
    if (names)
        term_wrap(&c->term, TERM_PLAIN, buf_get(&text), 2);
    free(names);
    buf_free(&text);
}

/* Their handlers may have copies that nobody can know of. */
static void print_without(const struct check *c)
{
    struct buf text;
    if (!c->without.len_bytes)
        return;
    buf_init(&text, 8192);
    buf_printf(&text,
               "No debug information, so copies that the compiler inlined are "
               "not known: %s.",
               buf_get(&c->without));
    term_wrap(&c->term, TERM_DIM, buf_get(&text), 2);
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
    print_without(c);
    if (c->types.remarks && *c->types.remarks)
        text_print_lines(stdout, c->types.remarks);
    for (size_t i = 0; i < c->objects.missing_count; i++)
        printf("Not found: %s, which the program needs.\n",
               text_shown(c->objects.missing[i]).text);
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
    json_text(o, "status", check_status_word(b->status));
    json_int(o, "functions", (int64_t)b->function_count);
    json_int(o, "bound", (int64_t)b->bound_count);
    json_text(o, "object", b->object ? b->object->path : NULL);
    json_count(o, "address", b->object ? (int64_t)b->vaddr : -1);
    json_text(o, "binding", b->bound_count ? check_way_text(b->ways) : NULL);
    json_int(o, "frame", (int64_t)b->frame_count);
    json_int(o, "zero_copy", (int64_t)b->zero_copy_count);
    json_count(o, "overdue_ns",
               b->decl->overdue_ns ? (int64_t)b->decl->overdue_ns : -1);
    json_bool(o, "overdue_stop", b->decl->overdue_stop);
    json_text(o, "remark", b->remark.len_bytes ? buf_get(&b->remark) : NULL);
    json_text(o, "hint", b->hint);
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
    if (n == 0 || *end != 0)
        return MATCH_MAX;
    return n < PLAN_HANDLERS_MAX ? n : PLAN_HANDLERS_MAX;
}

/* Declarations that are meant to bind. */
static bool is_handler(const struct manifest_decl *d)
{
    return (d->roles & MANIFEST_BOUND) || d->disabled;
}

static int decide(struct check *c)
{
    const struct manifest *m = c->file.manifest;
    const char *name = NULL; /* a library is for any program */
    if (c->program.kind == PROGRAM_LIBRARY)
        c->objects.at[0].kind = OBJECT_PLAIN;
    else
        name = manifest_program_name(m, c->called, c->objects.at[0].name);
    if (!name && c->program.kind != PROGRAM_LIBRARY)
        name = c->called;
    struct bindings *b = bindings_new(&c->objects, name, match_max());
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
    }
    bindings_free(b);
    coverage_add(&c->objects, c->bindings, c->count, &c->without);
    for (size_t i = 0; i < c->count; i++)
        c->totals[c->bindings[i].status]++;
    return 0;
}

/* Rules for the program's own exit may be all that somebody wants. */
static bool is_idle(const struct check *c)
{
    return c->count == 0 && c->file.manifest->program_count == 0;
}

static int print(const struct check *c)
{
    int status = c->totals[BINDING_NONE] || c->totals[BINDING_ERROR] ||
                         c->file.manifest->error_count || is_idle(c)
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
    if (c->count == 0)
        term_wrap(&c->term, TERM_YELLOW,
                  "No handler is declared, so nothing but the process is "
                  "recorded. A handler is a declaration with [[span]] before "
                  "it; 'handspan suggest PROGRAM' drafts some.",
                  2);
    print_bindings(c);
    print_legend(c);
    print_captured(c);
    kept_print(&c->term, c->file.manifest);
    print_locals(c);
    check_totals_print(&c->term, c->totals, c->count, status);
    return status;
}

static int find_program(struct check *c, const char *name)
{
    int err = program_find_file(name, &c->program);
    if (err)
        return options_trouble("%s: %s", name,
                               err == -ENOENT
                                   ? "no such program (names without a slash "
                                     "are looked up in PATH)"
                               : err == -EACCES ? "is not executable"
                                                : strerror(-err));
    program_classify(&c->program);
    if (!c->called[0])
        snprintf(c->called, sizeof c->called, "%s",
                 bind_basename(c->program.path));
    if (c->program.kind == PROGRAM_NATIVE || c->program.kind == PROGRAM_LIBRARY)
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
    char shipped[PATHS_MAX];
    if (access(manifest, F_OK) != 0 &&
        manifest_file_shipped(manifest, shipped, sizeof shipped))
        manifest = shipped;
    if (manifest_file_load(manifest, &c->file, why, sizeof why) < 0)
        return options_trouble("%s%s", why,
                               c->manifest_option ? "" : " (give one with -m)");
    int status = find_program(c, program);
    if (status)
        return status;
    if (objects_load(c->program.path, &c->objects, why, sizeof why) < 0)
        return options_trouble("%s", why);
    if (types_compile(manifest, &c->objects, true, &c->types, why, sizeof why) <
        0)
        return options_trouble("%s", why);
    manifest_file_free(&c->file);
    c->file = c->types.file;
    c->types.file = (struct manifest_file){0};
    status = decide(c);
    return status ? status : print(c);
}

static int check_before(struct check *c, const char *program)
{
    term_detect(&c->term, stdout);
    buf_init(&c->without, 4096);
    int status = run(c, program);
    for (size_t i = 0; i < c->count; i++)
        binding_free(&c->bindings[i]);
    buf_free(&c->without);
    free(c->bindings);
    objects_free(&c->objects);
    manifest_file_free(&c->file);
    types_free(&c->types);
    return status;
}

int cmd_check(int argc, char **argv)
{
    struct check c = {0};
    struct check_trace after = CHECK_TRACE_INIT;
    const struct option_spec specs[] = {
        {"manifest", 'm', OPTION_TEXT, "FILE",
         "the manifest; or a name that comes along (sqlite3)",
         &c.manifest_option},
        {"trace", 0, OPTION_TEXT, "TRACE", "what was bound in a trace",
         &after.trace},
        {"pid", 0, OPTION_NUMBER, "PID", "what is bound in a process that runs",
         &after.pid},
        {"run", 0, OPTION_FLAG, NULL, "run it (after --), then tell",
         &after.run},
        {"store", 0, OPTION_TEXT, "FILE", "another store", &after.store},
        {"json", 0, OPTION_FLAG, NULL, "one JSON object a line", &c.json},
    };
    const struct options o = {
        .command = "handspan check",
        .operands = "PROGRAM | --run -- COMMAND... | --trace TRACE | --pid PID",
        .about = "What a manifest comes to in a program, without running it. "
                 "ok: bound; part: some\ncalls or functions are not seen; "
                 "times: no values; later: its object is not there\nat the "
                 "start; twice: an earlier declaration has it; NONE: not "
                 "bound. With --run,\n--trace or --pid: what became of it, and "
                 "how often it was called. Exit status 1\nwhen something is "
                 "not bound.",
        .specs = specs,
        .spec_count = sizeof specs / sizeof *specs,
        .operand_max = -1};
    int operands = options_parse(&o, argc, argv);
    if (operands < 0)
        return operands == OPTIONS_HELP ? EXIT_FINE : EXIT_TROUBLE;
    after.json = c.json;
    after.manifest = c.manifest_option;
    int ways = (after.trace != NULL) + (after.pid >= 0) + after.run;
    if (ways > 1)
        return options_trouble("--run, --trace and --pid exclude each other");
    if (ways && operands != 0 && !after.run)
        return options_trouble("'%s': a trace needs no program", argv[0]);
    if (!after.trace && after.pid < 0 && operands != 1 && !after.run)
        return options_trouble("check needs one program%s; see 'handspan check "
                               "--help'",
                               operands ? " (--run -- COMMAND... runs one)"
                                        : "");
    if (after.run && operands == 0)
        return options_trouble("--run needs a command: handspan check --run "
                               "-- COMMAND...");
    if (ways)
        return check_trace_main(&after, operands, argv);
    (void)confine(CONFINE_READER, NULL); /* whoever built that program */
    return check_before(&c, argv[0]);
}
