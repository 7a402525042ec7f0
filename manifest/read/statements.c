/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements, which hold from here on: which object and which programs the
 * declarations are of, defaults of their settings, and files that are included.
 */
#include "manifest/read/read.h"

#include <errno.h>
#include <string.h>

const struct manifest_object statement_any_object = {.kind =
                                                         MANIFEST_OBJECT_ANY};

static void set_object(struct parser *p, const struct attribute *attr)
{
    if (p->scope.is_object_given)
        return;
    struct manifest_object *object = PARSER_NEW(p, struct manifest_object);
    if (!object)
        return;
    object->build_id = attr->build_id;
    object->pattern = attr->text;
    object->kind = attr->is_main             ? MANIFEST_OBJECT_MAIN
                   : strchr(attr->text, '/') ? MANIFEST_OBJECT_PATH
                                             : MANIFEST_OBJECT_BASENAME;
    p->scope.object = object;
}

static void add_program(struct parser *p, const struct attribute *attrs,
                        const struct attribute *attr)
{
    struct program_node *inner = PARSER_NEW(p, struct program_node);
    struct program_node *outer = PARSER_NEW(p, struct program_node);
    struct scope *scope = &p->scope;
    if (!inner || !outer)
        return;
    inner->program.pattern = attr->text;
    if (!declare_rules_of(p, attrs, ATTR_FAILS, NULL, USE_PROGRAM,
                          &inner->program.fails, &inner->program.fails_count))
        return;
    if (scope->programs_used) {
        scope->programs = NULL;
        scope->program_count = 0;
        scope->programs_used = false;
    }
    scope->flat = NULL;
    inner->next = scope->programs;
    scope->programs = inner;
    scope->program_count++;
    outer->program = inner->program;
    *p->programs_end = outer;
    p->programs_end = &outer->next;
    p->out->program_count++;
}

static const char *describe_error(int error, char buf[static 32])
{
    switch (error) {
    case -ENOENT:
        return "no such file";
    case -EACCES:
        return "permission denied";
    case -EISDIR:
        return "it is a directory";
    case -ENOMEM:
    case -EFBIG:
        return "it is too large";
    }
    memcpy(buf, "error ", 6);
    parser_decimal((uint64_t)(error < 0 ? -error : error), buf + 6);
    return buf;
}

static bool check_include(struct parser *p, const struct source *src,
                          struct mark at)
{
    for (const struct source *s = src->parent; s; s = s->parent)
        if (strcmp(s->file, src->file) == 0) {
            parser_error(p, at, "'", src->file, "' includes itself");
            return false;
        }
    if (p->include_depth >= LIMIT_INCLUDE_DEPTH)
        parser_error(p, at, "files include each other more than 16 deep");
    else if (p->include_count++ >= LIMIT_INCLUDES)
        parser_error(p, at, "more than 256 includes");
    else
        return true;
    return false;
}

static void include(struct parser *p, const struct attribute *attr)
{
    struct source *src = PARSER_NEW(p, struct source);
    const char *text = NULL;
    size_t len = 0;
    char buf[32];
    if (!src)
        return;
    if (!p->host->load) {
        parser_error(p, attr->at, "a file cannot be included here");
        return;
    }
    src->parent = attr->at.src;
    int error = p->host->load(p->host->context, src->parent->file, attr->text,
                              &text, &len, &src->file);
    if (!error && len > LIMIT_FILE_BYTES)
        error = -EFBIG;
    if (error) {
        parser_error(p, attr->text_at, "cannot include '", attr->text,
                     "': ", describe_error(error, buf));
        return;
    }
    src->text = text;
    src->len_bytes = (uint32_t)len;
    if (!src->file)
        src->file = attr->text;
    if (check_include(p, src, attr->text_at))
        parse_source(p, src);
}

static void apply_directive(struct parser *p, const struct attribute *attrs,
                            const struct attribute *attr)
{
    switch (attr->kind) {
    case ATTR_OBJECT:
        set_object(p, attr);
        break;
    case ATTR_PROGRAM:
        add_program(p, attrs, attr);
        break;
    case ATTR_INCLUDE:
        include(p, attr);
        break;
    default: /* ATTR_DEFAULTS */
        for (const struct attribute *s = attr->settings; s; s = s->next)
            settings_apply(p, &p->scope.settings, s);
    }
}

bool parse_statement(struct parser *p, const struct attribute *attrs)
{
    const struct attribute *first = attrs;
    if (!attribute_is_directive(first->kind)) {
        while (!attribute_is_directive(first->kind))
            first = first->next;
        parser_error(p, first->at, "'", attribute_name(first->kind),
                     "' is a statement of its own: [[",
                     attribute_name(first->kind), "(...)]];");
        return false;
    }
    if (!parser_is(p, ';')) {
        parser_error(p, p->tok.at, "expected ';': '",
                     attribute_name(first->kind),
                     "' is a statement and no attribute of a declaration");
        return false;
    }
    for (const struct attribute *a = attrs->next; a; a = a->next) {
        bool belongs = first->kind == ATTR_PROGRAM &&
                       (a->kind == ATTR_FAILS || a->kind == ATTR_ARGS);
        if (!belongs && !settings_apply(p, &p->scope.settings, a)) {
            parser_error(p, a->at, "'", attribute_name(a->kind),
                         "' does not belong to '", attribute_name(first->kind),
                         "'");
            return false;
        }
    }
    /* Only now: an included file moves the tokens away and back. */
    apply_directive(p, attrs, first);
    parser_advance(p);
    return true;
}
