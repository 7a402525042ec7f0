/* SPDX-License-Identifier: Apache-2.0 */
/* See chosen.h. */
#include "tools/cli/check/chosen.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

struct search {
    const struct plan_image *image;
    const char *path;
    uint64_t base, end;
};

/* Is it the build id that this note segment holds? */
static bool has_build_id(const struct plan_image *image, const char *note,
                         size_t left)
{
    Elf64_Nhdr n;
    while (left >= sizeof n) {
        memcpy(&n, note, sizeof n);
        size_t name = (n.n_namesz + 3u) & ~(size_t)3;
        size_t whole = sizeof n + name + ((n.n_descsz + 3u) & ~(size_t)3);
        if (whole > left)
            return false;
        const char *owner = note + sizeof n;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
            memcmp(owner, "GNU", 4) == 0)
            return n.n_descsz == image->build_id_len &&
                   memcmp(owner + name, image->build_id, n.n_descsz) == 0;
        note += whole;
        left -= whole;
    }
    return false;
}

static int look_at_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct search *s = context;
    bool is_it = false;
    uint64_t end = 0;
    (void)size;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_NOTE)
            is_it |= has_build_id(
                s->image,
                (const char *)(uintptr_t)(info->dlpi_addr + p->p_vaddr),
                p->p_memsz);
        if (p->p_type == PT_LOAD && p->p_vaddr + p->p_memsz > end)
            end = p->p_vaddr + p->p_memsz;
    }
    if (!is_it)
        return 0;
    s->path = info->dlpi_name;
    s->base = info->dlpi_addr;
    s->end = info->dlpi_addr + end;
    return 1;
}

int chosen_find(const struct plan_image *image, const char *name,
                const char *version, uint64_t *vaddr)
{
    struct search s = {.image = image};
    if (image->build_id_len == 0 || dl_iterate_phdr(look_at_object, &s) == 0 ||
        !s.path || !*s.path)
        return -ENOENT;
    void *object = dlopen(s.path, RTLD_LAZY | RTLD_NOLOAD);
    if (!object)
        return -ENOENT;
    uint64_t at = (uint64_t)(uintptr_t)(version ? dlvsym(object, name, version)
                                                : dlsym(object, name));
    dlclose(object);
    if (at < s.base || at >= s.end)
        return -ENOENT;
    *vaddr = at - s.base;
    return 0;
}
