/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's file as elfutils has it open, whatever process had it mapped
 * where: addresses in it are link-time ones. To read the DWARF of a large file
 * takes long and most stacks come out of the same few, so files are kept for
 * the next process; for a minute, since debug files may be installed.
 */
#pragma once
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "tools/symbolize/search.h"

enum {
    OBJECT_FILE_KEEP_S = 60,
};

struct object_file {
    char *path; /* as the process had it */
    uint8_t build_id[20];
    uint32_t build_id_bytes;
    const struct search *search; /* NULL: only where it was */
    Dwfl *dwfl;
    Dwfl_Module *module; /* NULL: no such file, see `trouble` */
    Elf *elf;
    uint64_t low;        /* its first address */
    const char *trouble; /* why there is no module, or no names; or NULL */
    char *found, *debug; /* what was read, if found elsewhere; NULL: not */
    bool is_doubted;     /* object_file_doubt() was here */
    /* of object_file.c */
    struct stat at;
    uint64_t bytes; /* mapped */
    int64_t since_s, used;
    uint32_t users;
};

/* The file of an object with this build id. `search`: look for it as that
 * says, and keep nothing. Always one, perhaps with a `trouble`; NULL: out of
 * memory. */
struct object_file *object_file_get(const struct search_object *object,
                                    const struct search *search);
void object_file_put(struct object_file *file);
/* None is kept any more; nobody may use one. */
void object_files_end(void);
/* It gave no line for an address: find out why. */
void object_file_doubt(struct object_file *file);

/* ---- debug_files.c ------------------------------------------------------- */

/* dwfl's: a separate debug file. A descriptor or -1. */
int object_file_find_debug(Dwfl_Module *module, void **userdata,
                           const char *name, Dwarf_Addr base, const char *main,
                           const char *link, GElf_Word crc, char **found);
/* Its own file: where it was, or where the search says. A descriptor or -1. */
int object_file_open(struct object_file *file);
