/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and opening debug information, and walking over it. The places are
 * those of gdb: the file itself, /usr/lib/debug/.build-id, and what
 * .gnu_debuglink names beside the object, in .debug, and below /usr/lib/debug.
 * A separate file counts only if its build-id is the object's.
 */
#include "tools/dwarf/debug_internal.h"
#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUG_ROOT "/usr/lib/debug"

static void forget(struct debug *d)
{
    if (d->dwarf)
        dwarf_end(d->dwarf);
    if (d->elf)
        elf_end(d->elf);
    if (d->fd >= 0)
        close(d->fd);
    d->dwarf = NULL;
    d->elf = NULL;
    d->fd = -1;
}

static int open_elf(struct debug *d, const char *path)
{
    int n = snprintf(d->path, sizeof d->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof d->path)
        return -ENAMETOOLONG;
    d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (d->fd < 0)
        return -errno;
    d->elf = elf_begin(d->fd, ELF_C_READ_MMAP, NULL);
    if (d->elf && elf_kind(d->elf) == ELF_K_ELF)
        return 0;
    forget(d);
    return -ENOEXEC;
}

static bool has_units(struct debug *d)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die;
    d->dwarf = dwarf_begin_elf(d->elf, DWARF_C_READ, NULL);
    return d->dwarf &&
           dwarf_get_units(d->dwarf, NULL, &cu, NULL, NULL, &die, NULL) == 0;
}

/* Is there a debug file of this build? Then `d` is that one. */
static bool try_file(struct debug *d, const char *path, const void *id,
                     size_t id_len)
{
    struct debug other = {.fd = -1};
    const void *found;
    if (open_elf(&other, path) != 0)
        return false;
    ssize_t len = dwelf_elf_gnu_build_id(other.elf, &found);
    bool same =
        len >= 0 && (size_t)len == id_len && memcmp(found, id, id_len) == 0;
    if (!same || !has_units(&other)) {
        forget(&other);
        return false;
    }
    forget(d);
    *d = other;
    return true;
}

static bool try_build_id(struct debug *d, const uint8_t *id, size_t id_len)
{
    char path[256];
    int at = snprintf(path, sizeof path, DEBUG_ROOT "/.build-id/%02x/", id[0]);
    for (size_t i = 1; i < id_len && (size_t)at + 9 < sizeof path; i++)
        at += snprintf(path + at, sizeof path - (size_t)at, "%02x", id[i]);
    snprintf(path + at, sizeof path - (size_t)at, ".debug");
    return try_file(d, path, id, id_len);
}

static bool try_link(struct debug *d, const char *object, const char *name,
                     const void *id, size_t id_len)
{
    static const char *const places[] = {"%s%.*s/%s", "%s%.*s/.debug/%s"};
    static const char *const roots[] = {"", DEBUG_ROOT};
    char path[sizeof d->path];
    const char *slash = strrchr(object, '/');
    if (!slash || strchr(name, '/'))
        return false;
    for (size_t i = 0; i < 4; i++) {
        int n = snprintf(path, sizeof path, places[i & 1], roots[i / 2],
                         (int)(slash - object), object, name);
        if (n > 0 && (size_t)n < sizeof path && try_file(d, path, id, id_len))
            return true;
    }
    return false;
}

static bool find_separate(struct debug *d, const char *object)
{
    uint8_t id[64];
    char name[256] = "";
    const void *found;
    GElf_Word crc;
    ssize_t len = dwelf_elf_gnu_build_id(d->elf, &found);
    if (len < 2 || (size_t)len > sizeof id)
        return false;
    memcpy(id, found, (size_t)len);
    const char *link = dwelf_elf_gnu_debuglink(d->elf, &crc);
    if (link)
        snprintf(name, sizeof name, "%s", link);
    return try_build_id(d, id, (size_t)len) ||
           (name[0] && try_link(d, object, name, id, (size_t)len));
}

int debug_open(const char *path, struct debug **out)
{
    struct debug *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->fd = -1;
    elf_version(EV_CURRENT);
    int err = open_elf(d, path);
    if (!err && !has_units(d)) {
        if (d->dwarf)
            dwarf_end(d->dwarf);
        d->dwarf = NULL;
        err = find_separate(d, path) ? 0 : -ENODATA;
    }
    if (err) {
        debug_close(d);
        return err;
    }
    *out = d;
    return 0;
}

bool debug_lacks_part(struct debug *d, const char **name)
{
    const void *id;
    return dwelf_dwarf_gnu_debugaltlink(d->dwarf, name, &id) > 0 &&
           !dwarf_getalt(d->dwarf);
}

enum {
    COMPRESSED_ZSTD = 2 /* ELFCOMPRESS_ZSTD, which older headers lack */
};

bool debug_is_zstd(const char *path)
{
    struct debug d = {.fd = -1};
    bool is_zstd = false;
    if (open_elf(&d, path) != 0)
        return false;
    for (Elf_Scn *s = NULL; !is_zstd && (s = elf_nextscn(d.elf, s));) {
        GElf_Shdr shdr;
        Elf_Data *raw = elf_rawdata(s, NULL);
        const Elf64_Chdr *head = raw ? raw->d_buf : NULL;
        is_zstd = gelf_getshdr(s, &shdr) && (shdr.sh_flags & SHF_COMPRESSED) &&
                  head && raw->d_size >= sizeof *head &&
                  head->ch_type == COMPRESSED_ZSTD;
    }
    forget(&d);
    return is_zstd;
}

void debug_close(struct debug *d)
{
    if (d)
        forget(d);
    free(d);
}

bool debug_has_build_id(struct debug *d, const char *hex)
{
    const void *found;
    const uint8_t *id;
    ssize_t len = dwelf_elf_gnu_build_id(d->elf, &found);
    size_t want = strlen(hex) / 2;
    if (want == 0)
        return true;
    if (len < 0 || (size_t)len < want)
        return false;
    id = found;
    for (size_t i = 0; i < want; i++) {
        char byte[3];
        snprintf(byte, sizeof byte, "%02x", id[i]);
        if (memcmp(byte, hex + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

/* ---- a walk ------------------------------------------------------------- */

struct walk {
    int (*each)(void *context, Dwarf_Die *die);
    void *context;
    uint64_t left;
};

/* One unit, without recursion: a stack of the entries that stand above. */
static int walk_unit(struct walk *w, Dwarf_Die *root)
{
    Dwarf_Die at[DEBUG_DEPTH_MAX];
    int depth = 0;
    at[0] = *root;
    while (depth >= 0) {
        if (w->left-- == 0)
            return -E2BIG;
        int err = w->each(w->context, &at[depth]);
        if (err)
            return err;
        if (depth + 1 < DEBUG_DEPTH_MAX &&
            dwarf_child(&at[depth], &at[depth + 1]) == 0) {
            depth++;
            continue;
        }
        while (depth >= 0) {
            Dwarf_Die next;
            int more = depth ? dwarf_siblingof(&at[depth], &next) : 1;
            if (more < 0)
                return -EINVAL;
            if (more == 0) {
                at[depth] = next;
                break;
            }
            depth--;
        }
    }
    return 0;
}

bool debug_entry_pc(Dwarf_Die *die, Dwarf_Addr *out)
{
    Dwarf_Addr base, end;
    if (dwarf_entrypc(die, out) == 0)
        return true;
    return dwarf_hasattr(die, DW_AT_ranges) &&
           dwarf_ranges(die, 0, &base, out, &end) > 0;
}

bool debug_unit_whole(Dwarf_Die *die, uint8_t unit_type, Dwarf_Die *split)
{
    if (unit_type != DW_UT_skeleton)
        return true;
    if (!split->addr || dwarf_tag(split) == DW_TAG_invalid)
        return false;
    *die = *split;
    return true;
}

int debug_walk(struct debug *d, int (*each)(void *context, Dwarf_Die *die),
               void *context)
{
    struct walk w = {each, context, DEBUG_ENTRIES_MAX};
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, split;
    uint8_t type;
    int err = 0, more = 0;
    while (!err) {
        split = (Dwarf_Die){.addr = NULL};
        more = dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &die, &split);
        if (more != 0)
            break;
        (void)!debug_unit_whole(&die, type, &split);
        err = walk_unit(&w, &die);
    }
    return err ? err : more < 0 ? -EINVAL : 0;
}

const char *debug_linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a))
        name = dwarf_formstring(&a);
    return name ? name : dwarf_diename(die);
}
