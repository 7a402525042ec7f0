/* SPDX-License-Identifier: Apache-2.0 */
/* Between modules.c and describe.c. */
#pragma once
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include "tools/symbolize/modules.h"
#include "tools/symbolize/values.h"

struct object {
    uint64_t bias, low, end;
    char *path;
    uint8_t build_id[20];
    uint32_t build_id_bytes;
    const char *trouble; /* why there is no module, or no names; or NULL */
    char *file, *debug;  /* found elsewhere; NULL: not */
    struct modules *all;
    bool is_doubted; /* object_doubt() was here */
    Dwfl_Module *module;
    Elf *elf;
    GElf_Addr elf_bias;
};
struct modules {
    Dwfl *dwfl;
    struct object *list;
    uint32_t count;
    const struct search *search; /* NULL: only where it was */
    struct values *values;       /* NULL: none are asked for */
};

/* dwfl's: a separate debug file. A descriptor or -1. */
int object_find_debug(Dwfl_Module *module, void **userdata, const char *name,
                      Dwarf_Addr base, const char *file, const char *link,
                      GElf_Word crc, char **found);
/* Its own file: where it was, or where the search says. A descriptor or -1. */
int object_open(struct object *object);

struct object *modules_at(struct modules *modules, uint64_t address);
/* It gave no line for an address: find out why. */
void object_doubt(struct object *object);
