/* SPDX-License-Identifier: Apache-2.0 */
/* Names for places in one object, without a stack: what the worker does for
 * `handspan symbolize`. See symbolize.h for the request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tools/symbolize/fetch.h"
#include "tools/symbolize/modules.h"
#include "tools/symbolize/search.h"
#include "tools/symbolize/symbolize.h"

static uint32_t from_hex(const char *hex, uint8_t *out, uint32_t cap_bytes)
{
    uint32_t len = 0;
    for (; hex && hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], 0}, *end;
        unsigned long byte = strtoul(pair, &end, 16);
        if (*end || len == cap_bytes)
            return 0;
        out[len++] = (uint8_t)byte;
    }
    return len;
}

static void add_places(struct modules *modules, const cJSON *places,
                       cJSON *lists)
{
    const cJSON *place;
    cJSON_ArrayForEach(place, places)
    {
        cJSON *frames = cJSON_CreateArray();
        const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(place, 0));
        bool is_call = !cJSON_IsTrue(cJSON_GetArrayItem(place, 1));
        uint64_t offset = text ? strtoull(text, NULL, 16) : 0;
        if (offset)
            modules_describe(modules, offset, is_call, false, frames);
        cJSON_AddItemToArray(lists, frames);
    }
}

char *symbolize_places(const char *request, size_t len_bytes)
{
    cJSON *r = cJSON_ParseWithLength(request, len_bytes);
    cJSON *answer = cJSON_CreateObject();
    struct search search = {
        .files = cJSON_GetObjectItem(r, "files"),
        .dirs = cJSON_GetObjectItem(r, "dirs"),
        .others = cJSON_AddArrayToObject(answer, "others"),
    };
    const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(r, "object"));
    const char *hex = cJSON_GetStringValue(cJSON_GetObjectItem(r, "build_id"));
    uint8_t id[20];
    struct module_place place = {0, UINT64_MAX, path ? path : "", id,
                                 from_hex(hex, id, sizeof id)};
    struct modules *modules = modules_new();
    fetch_begin(true);
    if (modules && place.build_id_bytes) {
        modules_search(modules, &search);
        if (modules_add(modules, &place) == 0) {
            add_places(modules, cJSON_GetObjectItem(r, "places"),
                       cJSON_AddArrayToObject(answer, "frames"));
            modules_files(modules, answer);
        }
    }
    modules_free(modules);
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    cJSON_Delete(r);
    return text;
}
