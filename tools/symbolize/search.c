/* SPDX-License-Identifier: Apache-2.0 */
/* See search.h. */
#include "tools/symbolize/search.h"
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAME_BYTES = 8192,
    HEX_BYTES = 2 * 64 + 1,
};

struct hunt {
    const struct search *search;
    const struct search_object *object;
    bool is_debug;
    char hex[HEX_BYTES];
    char *name; /* of what was found */
    int fd;     /* -1: not yet */
};

static void to_hex(const uint8_t *bytes, size_t len, char out[HEX_BYTES])
{
    out[0] = 0;
    for (size_t i = 0; i < len && 2 * i + 2 < HEX_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Sections that hold bytes: code, or DWARF. */
static bool has_part(Elf *elf, bool is_debug)
{
    size_t strings, count = 0;
    Elf_Scn *section = NULL;
    if (elf_getshdrnum(elf, &count) != 0 || count == 0 ||
        elf_getshdrstrndx(elf, &strings) != 0)
        return !is_debug;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr head;
        if (!gelf_getshdr(section, &head) || head.sh_type == SHT_NOBITS)
            continue;
        const char *name = elf_strptr(elf, strings, head.sh_name);
        if (is_debug ? name && (strcmp(name, ".debug_info") == 0 ||
                                strcmp(name, ".zdebug_info") == 0)
                     : (head.sh_flags & SHF_EXECINSTR) != 0)
            return true;
    }
    return false;
}

static void note_other(const struct hunt *h, const char *name, const char *hex)
{
    const cJSON *have;
    cJSON_ArrayForEach(have, h->search->others)
    {
        const cJSON *file = cJSON_GetObjectItem(have, "file");
        if (cJSON_IsString(file) && strcmp(file->valuestring, name) == 0)
            return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "file", name);
    cJSON_AddStringToObject(o, "build_id", hex);
    cJSON_AddItemToArray(h->search->others, o);
}

static bool has_id(Elf *elf, const uint8_t *id, uint32_t len, char *hex)
{
    const void *bits = NULL;
    ssize_t have = elf ? dwelf_elf_gnu_build_id(elf, &bits) : -1;
    if (hex)
        to_hex(bits, have > 0 ? (size_t)have : 0, hex);
    return len > 0 && have == (ssize_t)len && memcmp(bits, id, len) == 0;
}

bool search_has_id(int fd, const uint8_t *build_id, uint32_t build_id_bytes)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    bool has = has_id(elf, build_id, build_id_bytes, NULL);
    elf_end(elf);
    return has;
}

/* Take the file if it is it. */
static void consider(struct hunt *h, const char *name)
{
    char hex[HEX_BYTES];
    if (h->fd >= 0 || !name)
        return;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (has_id(elf, h->object->build_id, h->object->build_id_bytes, hex)) {
        if (has_part(elf, h->is_debug)) {
            h->fd = fd;
            h->name = strdup(name);
        }
    } else if (elf && elf_kind(elf) == ELF_K_ELF) {
        note_other(h, name, hex);
    }
    elf_end(elf);
    if (h->fd != fd)
        close(fd);
}

static void considerf(struct hunt *h, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void considerf(struct hunt *h, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (len > 0 && (size_t)len < sizeof name)
        consider(h, name);
}

/* A tree as /usr/lib/debug is one, or a folder with files. */
static void look_in(struct hunt *h, const char *dir, bool is_flat)
{
    const char *path = h->object->path;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *link = h->object->link;
    int above = slash ? (int)(slash - path) : 0;
    considerf(h, "%s/.build-id/%.2s/%s%s", dir, h->hex, h->hex + 2,
              h->is_debug ? ".debug" : "");
    if (path[0] == '/') {
        considerf(h, "%s%s%s", dir, path, h->is_debug ? ".debug" : "");
        if (h->is_debug && link)
            considerf(h, "%s%.*s/%s", dir, above, path, link);
    }
    if (!is_flat)
        return;
    if (h->is_debug && link)
        considerf(h, "%s/%s", dir, link);
    if (h->is_debug)
        considerf(h, "%s/%s.debug", dir, base);
    considerf(h, "%s/%s", dir, base);
}

static void look_beside(struct hunt *h)
{
    const char *path = h->object->path, *link = h->object->link;
    const char *slash = strrchr(path, '/');
    int above = slash ? (int)(slash - path) : 0;
    consider(h, path);
    if (!h->is_debug || path[0] != '/')
        return;
    considerf(h, "%s.debug", path);
    if (!link)
        return;
    considerf(h, "%.*s/%s", above, path, link);
    considerf(h, "%.*s/.debug/%s", above, path, link);
}

int search_open(const struct search *search, const struct search_object *object,
                bool is_debug, char **name)
{
    struct hunt h = {search, object, is_debug, "", NULL, -1};
    const cJSON *item;
    if (object->build_id_bytes == 0 || object->build_id_bytes > 20)
        return -1; /* nothing to tell it by */
    elf_version(EV_CURRENT);
    to_hex(object->build_id, object->build_id_bytes, h.hex);
    cJSON_ArrayForEach(item, search->files)
        consider(&h, cJSON_GetStringValue(item));
    cJSON_ArrayForEach(item, search->dirs)
    {
        const char *dir = cJSON_GetStringValue(item);
        if (dir)
            look_in(&h, dir, true);
    }
    look_beside(&h);
    look_in(&h, "/usr/lib/debug", false);
    *name = h.name;
    return h.fd;
}
