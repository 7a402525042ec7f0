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
#include "tools/symbolize/object_file.h"
#include "tools/symbolize/search.h"

static struct search_object wanted(const struct object_file *file,
                                   const char *link)
{
    return (struct search_object){file->path, file->build_id,
                                  file->build_id_bytes, link};
}

static int search_either(struct object_file *file)
{
    struct search_object want = wanted(file, NULL);
    char *name = NULL;
    int fd = search_open(file->search, &want, false, &name);
    /* a debug file alone has the names, too */
    if (fd < 0)
        fd = search_open(file->search, &want, true, &name);
    file->found = name;
    return fd;
}

int object_file_open(struct object_file *file)
{
    if (!file->search)
        return open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int fd = search_either(file);
    for (int i = 0; fd < 0 && i < 2; i++)
        fd = fetch_open(file->build_id, file->build_id_bytes, i == 0,
                        &file->found);
    return fd;
}

int object_file_find_debug(Dwfl_Module *module, void **userdata,
                           const char *name, Dwarf_Addr base, const char *main,
                           const char *link, GElf_Word crc, char **found)
{
    struct object_file *file = *userdata;
    struct stat at;
    int fd = -1;
    if (!file)
        return -1;
    struct search_object want = wanted(file, link);
    if (file->search)
        fd = search_open(file->search, &want, true, found);
    if (fd < 0)
        fd = dwfl_standard_find_debuginfo(module, userdata, name, base, main,
                                          link, crc, found);
    if (fd < 0)
        fd = fetch_open(file->build_id, file->build_id_bytes, true, found);
    if (fd >= 0 && *found)
        file->debug = strdup(*found);
    if (fd >= 0 && fstat(fd, &at) == 0)
        file->bytes += (uint64_t)at.st_size;
    return fd;
}
