/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span's attributes by its program: see attribute.h. Kept as one payload of
 * frames behind each other, as long as there is room; their number goes on
 * counting. The frames are hostile.
 */
#define _GNU_SOURCE
#include "tools/sidecar/drain/attribute.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane/format/context_frames.h"
#include "lane/format/utf8.h"
#include "lane/format/assert.h"

enum {
    COUNT_MAX = UINT16_MAX,
    WIDEST = 3, /* bytes that a broken one becomes */
};

int attribute_take(struct pending_map *map, const struct lane_log_item *item)
{
    lane_assert(item->type == LANE_ITEM_FRAME && item->frame != NULL);
    const struct lane_frame *f = item->frame;
    struct pending *p = pending_get(map, f->span);
    if (!p)
        return -ENOMEM;
    struct pending_frame *all = &p->frame[LANE_FRAME_ATTRIBUTE];
    if (f->payload_bytes <= LANE_ATTRIBUTE_MAX &&
        f->payload_bytes <= LANE_ATTRIBUTES_MAX - all->len_bytes) {
        uint8_t *grown =
            realloc(all->payload, all->len_bytes + LANE_ATTRIBUTE_MAX);
        if (!grown)
            return -ENOMEM;
        memcpy(grown + all->len_bytes, item->payload, f->payload_bytes);
        all->payload = grown;
        all->len_bytes += f->payload_bytes;
    }
    all->count += all->count < COUNT_MAX;
    p->changed |= 1u << LANE_FRAME_ATTRIBUTE;
    return 0;
}

static cJSON *text_json(const uint8_t *bytes, uint32_t len)
{
    lane_assert(len <= LANE_ATTRIBUTE_VALUE_MAX);
    char text[LANE_ATTRIBUTE_VALUE_MAX * WIDEST + 1];
    utf8_clean(bytes, len, text, sizeof text, NULL);
    return cJSON_CreateString(text);
}

static cJSON *value_json(const struct lane_attribute *head,
                         const uint8_t *bytes)
{
    char number[32];
    int64_t integer;
    double real;
    if (head->type == LANE_ATTRIBUTE_TEXT)
        return text_json(bytes, head->value_bytes);
    if (head->value_bytes != sizeof integer)
        return NULL;
    memcpy(&integer, bytes, sizeof integer);
    memcpy(&real, bytes, sizeof real);
    if (head->type == LANE_ATTRIBUTE_INTEGER) {
        snprintf(number, sizeof number, "%lld", (long long)integer);
        return cJSON_CreateRaw(number);
    }
    if (head->type != LANE_ATTRIBUTE_DOUBLE)
        return NULL;
    return isfinite(real) ? cJSON_CreateNumber(real) : cJSON_CreateNull();
}

/* One attribute into the object. Its bytes; 0: broken. */
static uint32_t put_one(cJSON *object, const uint8_t *at, uint32_t len)
{
    lane_assert(object != NULL);
    struct lane_attribute head;
    char key[LANE_ATTRIBUTE_KEY_MAX * WIDEST + 1];
    if (len < sizeof head)
        return 0;
    memcpy(&head, at, sizeof head);
    if (head.key_bytes == 0 || head.key_bytes > LANE_ATTRIBUTE_KEY_MAX ||
        head.value_bytes > LANE_ATTRIBUTE_VALUE_MAX ||
        len - sizeof head < head.key_bytes + head.value_bytes)
        return 0;
    at += sizeof head;
    utf8_clean(at, head.key_bytes, key, sizeof key, NULL);
    cJSON *value = value_json(&head, at + head.key_bytes);
    if (value) {
        cJSON_DeleteItemFromObjectCaseSensitive(object, key);
        cJSON_AddItemToObject(object, key, value);
    }
    return (uint32_t)sizeof head + head.key_bytes + head.value_bytes;
}

int attribute_merge(const struct pending *p, char **json)
{
    if (!p || p->frame[LANE_FRAME_ATTRIBUTE].count == 0)
        return 0;
    const struct pending_frame *all = &p->frame[LANE_FRAME_ATTRIBUTE];
    cJSON *object = *json ? cJSON_Parse(*json) : cJSON_CreateObject();
    uint32_t n = 0;
    if (!object)
        return -ENOMEM;
    for (uint32_t at = 0, step; at < all->len_bytes; at += step, n++) {
        step = put_one(object, all->payload + at, all->len_bytes - at);
        lane_assert(step <= all->len_bytes - at);
        if (step == 0)
            break;
    }
    if (n < all->count)
        cJSON_AddNumberToObject(object, "handspan.attributes_dropped",
                                all->count - n);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        return -ENOMEM;
    free(*json);
    *json = text;
    return 0;
}
