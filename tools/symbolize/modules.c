/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a process for the unwinder: see modules.h. */
#include "tools/symbolize/modules_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECTS_MAX = 4096,
    PE_OMIT = 0xff,
    PE_UDATA4 = 0x03,
    PE_SDATA4_PCREL = 0x1b,
    PE_SDATA4_DATAREL = 0x3b,
};

struct modules *modules_new(void)
{
    struct modules *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->list = calloc(OBJECTS_MAX, sizeof *o->list);
    if (!o->list) {
        free(o);
        return NULL;
    }
    return o;
}

void modules_free(struct modules *modules)
{
    if (!modules)
        return;
    for (uint32_t i = 0; i < modules->count; i++) {
        object_file_put(modules->list[i].file);
        free(modules->list[i].path);
    }
    free(modules->list);
    free(modules);
}

void modules_search(struct modules *modules, const struct search *search)
{
    modules->search = search;
}

void modules_files(const struct modules *modules, cJSON *to)
{
    if (modules->count == 0)
        return;
    const struct object_file *file = modules->list[modules->count - 1].file;
    if (file && file->module && file->found)
        cJSON_AddStringToObject(to, "file", file->found);
    if (file && file->module && file->debug)
        cJSON_AddStringToObject(to, "debug", file->debug);
}

static bool is_known(const struct modules *o, const struct module_place *place)
{
    for (uint32_t i = 0; i < o->count; i++) {
        const struct object *have = &o->list[i];
        if (have->bias == place->bias && strcmp(have->path, place->path) == 0)
            return true;
    }
    return false;
}

int modules_add(struct modules *modules, const struct module_place *place)
{
    if (is_known(modules, place))
        return 0;
    if (modules->count == OBJECTS_MAX || place->build_id_bytes > 20)
        return -ENOSPC;
    struct object *object = &modules->list[modules->count];
    *object = (struct object){.bias = place->bias,
                              .low = place->bias,
                              .end = place->end,
                              .all = modules};
    object->path = strdup(place->path);
    if (!object->path)
        return -ENOMEM;
    object->build_id_bytes = place->build_id_bytes;
    memcpy(object->build_id, place->build_id, place->build_id_bytes);
    modules->count++;
    return 0;
}

/* Most objects of a process are in no stack. False: out of memory. */
static bool open_file(struct object *object)
{
    const struct search_object wanted = {object->path, object->build_id,
                                         object->build_id_bytes, NULL};
    if (!object->file) {
        object->file = object_file_get(&wanted, object->all->search);
        if (object->file && object->file->module)
            object->low = object->bias + object->file->low;
    }
    return object->file != NULL;
}

struct object *modules_at(struct modules *modules, uint64_t address)
{
    for (uint32_t i = modules->count; i-- > 0;) {
        struct object *object = &modules->list[i];
        if (address >= object->low && address < object->end &&
            open_file(object) && address >= object->low)
            return object;
    }
    return NULL;
}

void modules_values(struct modules *modules, struct values *values)
{
    modules->values = values;
}

bool modules_has_id(struct modules *modules, uint64_t address,
                    const uint8_t *build_id, uint32_t build_id_bytes)
{
    const struct object *object = modules_at(modules, address);
    return object && object->build_id_bytes == build_id_bytes &&
           memcmp(object->build_id, build_id, build_id_bytes) == 0;
}

/* ---- bytes --------------------------------------------------------------- */

static const GElf_Phdr *segment_at(const struct object *object,
                                   uint64_t address, GElf_Phdr *phdr)
{
    size_t count = 0;
    if (!object->file->elf || elf_getphdrnum(object->file->elf, &count) != 0)
        return NULL;
    uint64_t vaddr = address - object->bias;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(object->file->elf, (int)i, phdr) &&
            phdr->p_type == PT_LOAD && vaddr >= phdr->p_vaddr &&
            vaddr - phdr->p_vaddr < phdr->p_filesz)
            return phdr;
    return NULL;
}

bool modules_read(struct modules *modules, uint64_t address, void *out,
                  size_t len_bytes)
{
    const struct object *object = modules_at(modules, address);
    GElf_Phdr phdr;
    size_t size = 0;
    if (!object || !segment_at(object, address, &phdr))
        return false;
    const char *file = elf_rawfile(object->file->elf, &size);
    uint64_t in_segment = address - object->bias - phdr.p_vaddr;
    uint64_t at;
    if (!file || phdr.p_filesz - in_segment < len_bytes ||
        __builtin_add_overflow(phdr.p_offset, in_segment, &at) || at > size ||
        size - at < len_bytes)
        return false;
    memcpy(out, file + at, len_bytes);
    return true;
}

bool modules_is_code(struct modules *modules, uint64_t address)
{
    const struct object *object = modules_at(modules, address);
    GElf_Phdr phdr;
    if (object && !object->file->elf)
        return true; /* its file is not there: not to be told */
    return object && segment_at(object, address, &phdr) &&
           (phdr.p_flags & PF_X);
}

/* .eh_frame_hdr: version, encodings, frame pointer, count, sorted table. Only
 * the form that linkers write. */
static bool read_header(struct modules *o, uint64_t at,
                        struct module_tables *out)
{
    uint8_t head[4];
    uint32_t count;
    if (!modules_read(o, at, head, sizeof head) || head[0] != 1 ||
        head[1] != PE_SDATA4_PCREL || head[2] != PE_UDATA4 ||
        head[3] != PE_SDATA4_DATAREL ||
        !modules_read(o, at + 8, &count, sizeof count))
        return false;
    out->segbase = at;
    out->table = at + 12;
    out->table_entries = count;
    return true;
}

bool modules_find_tables(struct modules *modules, uint64_t address,
                         struct module_tables *out)
{
    const struct object *object = modules_at(modules, address);
    size_t count = 0;
    if (!object || !object->file->elf ||
        elf_getphdrnum(object->file->elf, &count) != 0)
        return false;
    *out = (struct module_tables){.low = object->low, .high = object->end};
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr phdr;
        if (gelf_getphdr(object->file->elf, (int)i, &phdr) &&
            phdr.p_type == PT_GNU_EH_FRAME)
            return read_header(modules, phdr.p_vaddr + object->bias, out);
    }
    return false;
}
