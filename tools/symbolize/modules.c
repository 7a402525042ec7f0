/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a process for the unwinder: see modules.h. */
#include "tools/symbolize/modules_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OBJECTS_MAX = 4096,
    PE_OMIT = 0xff,
    PE_UDATA4 = 0x03,
    PE_SDATA4_PCREL = 0x1b,
    PE_SDATA4_DATAREL = 0x3b,
};

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = object_find_debug,
};

struct modules *modules_new(void)
{
    struct modules *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->list = calloc(OBJECTS_MAX, sizeof *o->list);
    o->dwfl = dwfl_begin(&callbacks);
    if (!o->list || !o->dwfl) {
        modules_free(o);
        return NULL;
    }
    return o;
}

void modules_free(struct modules *modules)
{
    if (!modules)
        return;
    for (uint32_t i = 0; modules->list && i < modules->count; i++)
        free(modules->list[i].path), free(modules->list[i].file),
            free(modules->list[i].debug);
    free(modules->list);
    if (modules->dwfl)
        dwfl_end(modules->dwfl);
    free(modules);
}

static bool is_same_file(Dwfl_Module *module, const struct object *object)
{
    const unsigned char *bits = NULL;
    GElf_Addr at;
    int len = dwfl_module_build_id(module, &bits, &at);
    if (object->build_id_bytes == 0)
        return !object->all->search; /* nothing to tell it by */
    return len > 0 && (uint32_t)len >= object->build_id_bytes &&
           memcmp(bits, object->build_id, object->build_id_bytes) == 0;
}

/* The file into dwfl, if it is (still) the one that was mapped. */
static void open_file(struct modules *o, struct object *object)
{
    void **userdata;
    int fd = object_open(object);
    if (fd < 0) {
        object->trouble = "no file";
        return;
    }
    dwfl_report_begin_add(o->dwfl);
    Dwfl_Module *module = dwfl_report_elf(o->dwfl, object->path, object->path,
                                          fd, object->bias, true);
    if (!module) {
        close(fd); /* otherwise dwfl owns it */
        object->trouble = "no ELF file";
    } else if (!is_same_file(module, object)) {
        object->trouble = "another file now";
    } else {
        object->module = module;
        object->elf = dwfl_module_getelf(module, &object->elf_bias);
        dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
        *userdata = object;
    }
    dwfl_report_end(o->dwfl, NULL, NULL);
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
    *object =
        (struct object){.bias = place->bias, .end = place->end, .all = modules};
    object->path = strdup(place->path);
    if (!object->path)
        return -ENOMEM;
    object->build_id_bytes = place->build_id_bytes;
    memcpy(object->build_id, place->build_id, place->build_id_bytes);
    modules->count++;
    open_file(modules, object);
    if (object->module)
        dwfl_module_info(object->module, NULL, &object->low, NULL, NULL, NULL,
                         NULL, NULL);
    else
        object->low = object->bias;
    return 0;
}

struct object *modules_at(struct modules *modules, uint64_t address)
{
    for (uint32_t i = modules->count; i-- > 0;)
        if (address >= modules->list[i].low && address < modules->list[i].end)
            return &modules->list[i];
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
    if (!object->elf || elf_getphdrnum(object->elf, &count) != 0)
        return NULL;
    uint64_t vaddr = address - object->bias;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(object->elf, (int)i, phdr) &&
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
    const char *file = elf_rawfile(object->elf, &size);
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
    if (object && !object->elf)
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
    if (!object || !object->elf || elf_getphdrnum(object->elf, &count) != 0)
        return false;
    *out = (struct module_tables){.low = object->low, .high = object->end};
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr phdr;
        if (gelf_getphdr(object->elf, (int)i, &phdr) &&
            phdr.p_type == PT_GNU_EH_FRAME)
            return read_header(modules, phdr.p_vaddr + object->bias, out);
    }
    return false;
}
