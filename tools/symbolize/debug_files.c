/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an object's file and its debug file come from: first this machine
 * (elfutils' own search, or that of search.h), then debuginfod if somebody
 * configured one.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tools/symbolize/fetch.h"
#include "tools/symbolize/modules_internal.h"
#include "tools/symbolize/search.h"

static struct search_object wanted(const struct object *object,
                                   const char *link)
{
    return (struct search_object){object->path, object->build_id,
                                  object->build_id_bytes, link};
}

static int search_either(struct object *object)
{
    const struct search *search = object->all->search;
    struct search_object want = wanted(object, NULL);
    char *name = NULL;
    int fd = search_open(search, &want, false, &name);
    /* a debug file alone has the names, too */
    if (fd < 0)
        fd = search_open(search, &want, true, &name);
    object->file = name;
    return fd;
}

int object_open(struct object *object)
{
    if (!object->all->search)
        return open(object->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int fd = search_either(object);
    for (int i = 0; fd < 0 && i < 2; i++)
        fd = fetch_open(object->build_id, object->build_id_bytes, i == 0,
                        &object->file);
    return fd;
}

int object_find_debug(Dwfl_Module *module, void **userdata, const char *name,
                      Dwarf_Addr base, const char *file, const char *link,
                      GElf_Word crc, char **found)
{
    struct object *object = *userdata;
    int fd = -1;
    if (!object)
        return -1;
    struct search_object want = wanted(object, link);
    if (object->all->search)
        fd = search_open(object->all->search, &want, true, found);
    if (fd < 0)
        fd = dwfl_standard_find_debuginfo(module, userdata, name, base, file,
                                          link, crc, found);
    if (fd < 0)
        fd = fetch_open(object->build_id, object->build_id_bytes, true, found);
    if (fd >= 0 && *found)
        object->debug = strdup(*found);
    return fd;
}

void modules_search(struct modules *modules, const struct search *search)
{
    modules->search = search;
}

void modules_files(const struct modules *modules, cJSON *to)
{
    if (modules->count == 0)
        return;
    const struct object *object = &modules->list[modules->count - 1];
    if (object->module && object->file)
        cJSON_AddStringToObject(to, "file", object->file);
    if (object->module && object->debug)
        cJSON_AddStringToObject(to, "debug", object->debug);
}
