/* SPDX-License-Identifier: Apache-2.0 */
/* For the files of this folder: a debug file, and a walk over its entries. */
#pragma once
#include "tools/dwarf/debug.h"
#include <elfutils/libdw.h>

struct debug {
    int fd;
    Elf *elf;
    Dwarf *dwarf;
    char path[4096];
};

enum {
    DEBUG_DEPTH_MAX = 64,         /* of nested entries */
    DEBUG_ENTRIES_MAX = 50000000, /* of a walk: some 10 s */
};
/* Every entry, parents first. `each` returns non-zero to stop. 0, -E2BIG,
 * -EINVAL, or what `each` returned. */
int debug_walk(struct debug *d, int (*each)(void *context, Dwarf_Die *die),
               void *context) __attribute__((warn_unused_result));
/* Where a function begins: of one in several pieces (a .cold part) where the
 * first of them does. False: it has no code. */
bool debug_entry_pc(Dwarf_Die *die, Dwarf_Addr *out);
/* The entry with what a unit says: that of split debug information (.dwo), if
 * it is there, else `die`. False: another file has it, which is not there. */
bool debug_unit_whole(Dwarf_Die *die, uint8_t unit_type, Dwarf_Die *split);
/* dwarf_decl_file(), where it can be asked; NULL: not known. */
const char *debug_decl_file(Dwarf_Die *die);
/* A name of C? And one that a parameter can have in a manifest? */
bool debug_is_identifier(const char *name);
bool debug_is_word(const char *name);
/* "unsigned int"; NULL: no scalar of the manifest. */
const char *debug_base_type(Dwarf_Die *die);
bool debug_is_bit_int(Dwarf_Die *die);
/* `int f(a) float a; {}`: its callers know no parameters, and pass a double. */
bool debug_is_promoted(Dwarf_Die *function);
/* The name as the linker knows it, else as the source has it; NULL if
 * none. */
const char *debug_linkage_name(Dwarf_Die *die);
