/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and arrays of libstdc++ as values: the code that finds address and
 * length of what is in them. Their layout is in grammar/containers.c. */
#include "manifest/meaning/emit.h"

/* A view by value: its length and its pointer are in registers. */
static bool emit_view(struct compile *c, struct mark at,
                      const struct operand *view)
{
    const struct manifest_member *members = view->type->members;
    struct operand part = *view;
    part.type = members[1].type;
    part.offset += members[1].offset_bytes;
    if (!emit_value(c, at, &part))
        return false;
    part = *view;
    part.type = members[0].type;
    return emit_value(c, at, &part);
}

bool emit_container(struct compile *c, struct mark at, struct operand *operand,
                    enum manifest_value_type *type)
{
    enum container kind = type_of(operand->type)->container;
    struct code code = {.op = OP_CONTAINER, .index = (uint8_t)kind};
    *type =
        kind == CONTAINER_VECTOR ? MANIFEST_VALUE_BYTES : MANIFEST_VALUE_TEXT;
    c->is_ranged = true;
    if (operand->kind == OPERAND_REGISTER) {
        if (kind == CONTAINER_VIEW)
            return emit_view(c, at, operand);
        compile_error(c, at, "'", parser_quote(c->p, &at),
                      "' cannot be in registers");
        return false;
    }
    c->needs_memory = c->dereferences = true;
    operand->kind = OPERAND_VALUE;
    return emit(c, code, 1);
}
