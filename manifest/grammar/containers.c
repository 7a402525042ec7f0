/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts and arrays of libstdc++, by the layout that its ABI fixes
 * (_GLIBCXX_USE_CXX11_ABI 1, gcc 5 and later): std::string, std::string_view
 * and std::vector of scalars are values like `char *` and arrays of C.
 */
#include "manifest/grammar/grammar.h"

#include <string.h>

static const struct type text_pointer = {.t = {.kind = MANIFEST_POINTER,
                                               .size_bytes = 8,
                                               .align_bytes = 8,
                                               .to = &type_char.t}};
static const struct type local_text = {.t = {.kind = MANIFEST_ARRAY,
                                             .size_bytes = 16,
                                             .align_bytes = 1,
                                             .to = &type_char.t,
                                             .count = 16},
                                       .depth = 1};
static const struct manifest_member string_members[] = {
    {.name = "_M_p", .type = &text_pointer.t},
    {.name = "_M_string_length", .type = &type_ulong.t, .offset_bytes = 8},
    {.name = "_M_local_buf", .type = &local_text.t, .offset_bytes = 16},
};
static const struct manifest_member view_members[] = {
    {.name = "_M_len", .type = &type_ulong.t},
    {.name = "_M_str", .type = &text_pointer.t, .offset_bytes = 8},
};
static const struct type type_string = {.t = {.kind = MANIFEST_RECORD,
                                              .size_bytes = 32,
                                              .align_bytes = 8,
                                              .name = "std::string",
                                              .members = string_members,
                                              .member_count = 3},
                                        .depth = 2,
                                        .container = CONTAINER_STRING};
static const struct type type_view = {.t = {.kind = MANIFEST_RECORD,
                                            .size_bytes = 16,
                                            .align_bytes = 8,
                                            .name = "std::string_view",
                                            .members = view_members,
                                            .member_count = 2},
                                      .depth = 1,
                                      .container = CONTAINER_VIEW};

const struct manifest_type *container_find(const char *name, size_t len)
{
    static const struct type *const all[] = {&type_string, &type_view};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strlen(all[i]->t.name) == len &&
            memcmp(all[i]->t.name, name, len) == 0)
            return &all[i]->t;
    return NULL;
}

const struct manifest_type *container_vector_of(struct parser *p,
                                                const struct manifest_type *to)
{
    static const char *const names[] = {"_M_start", "_M_finish",
                                        "_M_end_of_storage"};
    struct type *type = PARSER_NEW(p, struct type);
    const struct manifest_type *pointer = type_pointer_to(p, to);
    struct manifest_member *members =
        parser_alloc_array(p, 3, sizeof(*members));
    if (!type || !pointer || !members)
        return NULL;
    for (uint32_t i = 0; i < 3; i++)
        members[i] = (struct manifest_member){
            .name = names[i], .type = pointer, .offset_bytes = i * 8};
    type->t.kind = MANIFEST_RECORD;
    type->t.size_bytes = 24;
    type->t.align_bytes = 8;
    type->t.name = "std::vector";
    type->t.to = to;
    type->t.members = members;
    type->t.member_count = 3;
    type->depth = 1;
    type->container = CONTAINER_VECTOR;
    return &type->t;
}

bool container_is_indirect(const struct manifest_type *type)
{
    return type->kind == MANIFEST_RECORD &&
           (type_of(type)->container == CONTAINER_STRING ||
            type_of(type)->container == CONTAINER_VECTOR);
}
