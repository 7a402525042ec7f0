/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the decoder: decode.c, value.c, error.c. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include "tools/sidecar/decode/decode.h"

struct cJSON;

struct decode_value {
    const struct decode_site *site;
    const struct decode_item *item;
    const uint8_t *bytes;
    uint32_t len_bytes; /* that are here; of a truncated one head, then tail */
    uint64_t true_bytes;
    uint8_t flags, type;
    /* found on the way */
    size_t key_bytes, json_bytes; /* serialized */
    size_t room_bytes;            /* that it may take */
    bool is_cut, is_dropped;
    uint32_t head_bytes;
    size_t replaced; /* bytes of a text that are no UTF-8 */
};

/* Serialized length of a text as cJSON prints it, quotes included. */
size_t value_text_bytes(const char *text, size_t len_bytes);
/* Serialized length of the whole value. */
size_t value_json_bytes(const struct decode_value *v);
/* Text and bytes can be cut; numbers cannot. */
bool value_can_shrink(const struct decode_value *v);
/* The value in at most room_bytes; sets is_cut, head_bytes, replaced. */
struct cJSON *value_json(struct decode_value *v);
/* Bytes as a signed number of its size. */
int64_t value_integer(const uint8_t *bytes, uint32_t len_bytes, bool is_signed);

/* `frame` without payload: a fatal signal, of which only the context knows. */
int decode_error(const struct decode_site *site,
                 const struct decode_frame *frame,
                 const struct decode_context *context,
                 const struct cJSON *input, struct cJSON **out,
                 struct decode_result *group);

/* The error of a process that ended by `kind`; `handler` was open then, or
 * NULL. Both malloc'ed. */
void decode_ending(const char *kind, const char *type, const char *handler,
                   const struct decode_context *context, char **error,
                   char **group);

/* A usual frame at once, malloc'ed; NULL: it is not usual (or there is no
 * memory). quick.c */
char *decode_quick(const struct decode_site *site,
                   const struct decode_frame *frame);
