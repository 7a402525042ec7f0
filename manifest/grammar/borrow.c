/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the debug information, and prototypes of it that are kept;
 * see borrow.h. */
#include "manifest/grammar/borrow.h"

#include <string.h>

void borrow_ask(struct parser *p, const struct manifest_want *want)
{
    if (p->host->want && !p->in_types && !p->is_ahead && !p->fatal)
        p->host->want(p->host->context, want);
}

void borrow_want(struct parser *p, enum manifest_want_kind kind,
                 const char *name)
{
    struct manifest_want w = {.kind = kind, .name = name};
    borrow_ask(p, &w);
}

/* Behind those of the same name: the first one is the first that was found. */
static struct name *add_prototype(struct parser *p, const char *text)
{
    struct name *first =
        parser_find_name(p, NAME_PROTOTYPE, text, strlen(text));
    if (!first)
        return parser_add_name(p, NAME_PROTOTYPE, text);
    while (first->more)
        first = first->more;
    first->more = PARSER_NEW(p, struct name);
    return first->more;
}

static const char *text_of(const struct attribute *attrs,
                           enum attribute_kind kind)
{
    const struct attribute *a = attribute_find(attrs, kind);
    return a ? a->text : NULL;
}

/* What is no function stands for one whose prototype C cannot say: its symbol
 * is known. */
void borrow_keep(struct parser *p, const struct declaration *d)
{
    const char *key = text_of(d->attrs, ATTR_SPAN);
    if (!key)
        return;
    struct name *name = add_prototype(p, key);
    if (!name)
        return;
    name->ctype = d->type->kind == MANIFEST_FUNCTION ? d->type : NULL;
    name->at = d->at;
    name->symbol = text_of(d->attrs, ATTR_SYMBOL);
    name->where = text_of(d->attrs, ATTR_FILE);
    name->args = text_of(d->attrs, ATTR_ARGS);
}
