/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an object has no names though its file is the one that ran: the file
 * ends too early, or the debug file that lies where it says is of another
 * build. Such a one is never used; a person who sees `?` should know.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tools/symbolize/object_file.h"

enum {
    PATH_BYTES = 4096,
};

/* Section headers are what a copy that stopped half way loses first. */
static bool is_cut(Elf *elf)
{
    GElf_Ehdr head;
    size_t size = 0;
    return elf_rawfile(elf, &size) && gelf_getehdr(elf, &head) &&
           head.e_shoff != 0 &&
           (head.e_shoff > size ||
            size - head.e_shoff < (uint64_t)head.e_shnum * head.e_shentsize);
}

/* .gnu_debuglink: a file name. NULL: none. */
static const char *link_of(Elf *elf)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s)) != NULL;) {
        GElf_Shdr head;
        const char *name = gelf_getshdr(s, &head)
                               ? elf_strptr(elf, names, head.sh_name)
                               : NULL;
        const Elf_Data *data = name && strcmp(name, ".gnu_debuglink") == 0
                                   ? elf_rawdata(s, NULL)
                                   : NULL;
        if (data && data->d_buf && memchr(data->d_buf, 0, data->d_size))
            return data->d_buf;
    }
    return NULL;
}

static bool has_other_id(const struct object_file *file, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *id = NULL;
    ssize_t len = elf ? dwelf_elf_gnu_build_id(elf, &id) : -1;
    bool is_other = len > 0 && ((uint32_t)len != file->build_id_bytes ||
                                memcmp(id, file->build_id, (size_t)len) != 0);
    if (elf)
        elf_end(elf);
    close(fd);
    return is_other;
}

static bool has_foreign_debug(const struct object_file *file)
{
    static const char *const folders[][2] = {
        {"", ""}, {"", ".debug/"}, {"/usr/lib/debug", ""}};
    const char *link = link_of(file->elf);
    const char *slash = strrchr(file->path, '/');
    if (!link || !slash || file->build_id_bytes == 0)
        return false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[PATH_BYTES];
        int n = snprintf(path, sizeof path, "%s%.*s/%s%s", folders[i][0],
                         (int)(slash - file->path), file->path, folders[i][1],
                         link);
        if (n > 0 && n < PATH_BYTES && has_other_id(file, path))
            return true;
    }
    return false;
}

void object_file_doubt(struct object_file *file)
{
    Dwarf_Addr bias;
    if (file->is_doubted || !file->elf)
        return;
    file->is_doubted = true;
    if (is_cut(file->elf))
        file->trouble = "the file is cut short";
    else if (!dwfl_module_getdwarf(file->module, &bias) &&
             has_foreign_debug(file))
        file->trouble = "debug file of another build";
}
