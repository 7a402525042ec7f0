/* SPDX-License-Identifier: Apache-2.0 */
/* See naming_places.h. */
#include "tools/store/naming_places.h"
#include <cjson/cJSON.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_place(void *node)
{
    struct naming_place *place = node;
    cJSON_Delete(place->frames);
    free(place->key);
    free(place);
}

void naming_places_free(struct naming_places *p)
{
    tdestroy(p->tree, free_place);
    for (size_t i = 0; i < p->objects; i++) {
        free(p->object[i].path);
        free(p->object[i].build_id);
        free(p->object[i].place);
    }
    free(p->object);
}

static int compare(const void *a, const void *b)
{
    const struct naming_place *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static const char *text_of(const cJSON *frame, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, key));
}

/* "0x1a40 1 BUILD-ID PATH" */
static char *key_of(const cJSON *frame)
{
    char *key = NULL;
    const char *path = text_of(frame, "object");
    const char *id = text_of(frame, "build_id");
    const char *offset = text_of(frame, "offset");
    bool is_exact =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "exact"));
    if (!path || !id || !offset ||
        asprintf(&key, "%s %d %s %s", offset, is_exact, id, path) < 0)
        return NULL;
    return key;
}

struct naming_place *naming_places_find(void *context, const cJSON *frame)
{
    struct naming_places *p = context;
    struct naming_place wanted = {.key = key_of(frame)};
    struct naming_place **have =
        wanted.key ? tfind(&wanted, &p->tree, compare) : NULL;
    free(wanted.key);
    return have ? *have : NULL;
}

static struct naming_object *object_of(struct naming_places *p,
                                       const cJSON *frame)
{
    const char *path = text_of(frame, "object");
    const char *id = text_of(frame, "build_id");
    for (size_t i = 0; i < p->objects; i++)
        if (strcmp(p->object[i].build_id, id) == 0 &&
            strcmp(p->object[i].path, path) == 0)
            return &p->object[i];
    void *grown = reallocarray(p->object, p->objects + 1, sizeof *p->object);
    if (!grown)
        return NULL;
    p->object = grown;
    struct naming_object *o = &p->object[p->objects];
    *o = (struct naming_object){strdup(path), strdup(id), NULL, 0};
    if (!o->path || !o->build_id) {
        free(o->path);
        free(o->build_id);
        return NULL;
    }
    p->objects++;
    return o;
}

static struct naming_place *add_place(struct naming_places *p,
                                      const cJSON *frame)
{
    struct naming_object *o = object_of(p, frame);
    struct naming_place *place = o ? calloc(1, sizeof *place) : NULL;
    void *grown =
        place ? reallocarray(o->place, o->count + 1, sizeof *o->place) : NULL;
    if (grown)
        o->place = grown;
    if (grown && (place->key = key_of(frame)) &&
        tsearch(place, &p->tree, compare)) {
        snprintf(place->offset, sizeof place->offset, "%s",
                 text_of(frame, "offset"));
        place->is_exact =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame, "exact"));
        o->place[o->count++] = place;
        return place;
    }
    if (place)
        free_place(place);
    p->is_out_of_memory = true;
    return NULL;
}

struct naming_place *naming_places_find_or_add(void *context,
                                               const cJSON *frame)
{
    struct naming_place *place = naming_places_find(context, frame);
    return place ? place : add_place(context, frame);
}
