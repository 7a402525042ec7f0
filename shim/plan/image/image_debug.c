/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files, of which nothing but sections is left (objcopy
 * --only-keep-debug): .symtab, the build id's note, and in the object's own
 * file the link to it. Or a packed one in the object's file (.gnu_debugdata).
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

struct file {
    struct plan_image image; /* bytes alone */
    Elf64_Ehdr header;
    const char *names; /* of sections */
    uint64_t names_len;
};

static bool get_section(const struct file *file, uint64_t index,
                        Elf64_Shdr *section, const char **name)
{
    if (!image_section_get(&file->image, &file->header, index, section))
        return false;
    *name = section->sh_name < file->names_len ? file->names + section->sh_name
                                               : "";
    return true;
}

static bool open_file(struct file *file, const void *bytes, size_t len_bytes)
{
    Elf64_Shdr names;
    memset(file, 0, sizeof *file);
    if (len_bytes < sizeof file->header)
        return false;
    file->image.bytes = bytes;
    file->image.len_bytes = len_bytes;
    memcpy(&file->header, bytes, sizeof file->header);
    if (memcmp(file->header.e_ident, ELFMAG, SELFMAG) != 0 ||
        file->header.e_ident[EI_CLASS] != ELFCLASS64 ||
        file->header.e_machine != EM_X86_64 || file->header.e_shoff == 0 ||
        file->header.e_shentsize != sizeof names)
        return false;
    if (image_section_get(&file->image, &file->header, file->header.e_shstrndx,
                          &names))
        file->names = image_section_bytes(&file->image, &names);
    if (file->names)
        file->names_len = image_strings_len(file->names, names.sh_size);
    return true;
}

/* The bytes of the section of that name; NULL: there is none. */
static const char *find_section(const void *bytes, size_t len_bytes,
                                const char *wanted, uint64_t *size)
{
    struct file file;
    Elf64_Shdr section;
    const char *name;
    if (!open_file(&file, bytes, len_bytes))
        return NULL;
    for (uint64_t i = 0; get_section(&file, i, &section, &name); i++)
        if (strcmp(name, wanted) == 0) {
            *size = section.sh_size;
            return image_section_bytes(&file.image, &section);
        }
    return NULL;
}

const char *plan_file_debuglink(const void *bytes, size_t len_bytes,
                                uint32_t *crc)
{
    uint64_t size;
    const char *link = find_section(bytes, len_bytes, ".gnu_debuglink", &size);
    size_t len = link ? strnlen(link, size) : 0;
    size_t at = (len + 4) & ~(size_t)3;
    if (!link || at + sizeof *crc > size)
        return NULL;
    memcpy(crc, link + at, sizeof *crc);
    return link;
}

const void *plan_file_debugdata(const void *bytes, size_t len_bytes,
                                uint64_t *size)
{
    return find_section(bytes, len_bytes, ".gnu_debugdata", size);
}

/* As .gnu_debuglink has it; half a byte at a time. */
static uint32_t crc_of(const uint8_t *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = ~UINT32_C(0);
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static bool has_build_id(const struct file *file, const Elf64_Shdr *section,
                         const struct plan_image *image)
{
    Elf64_Nhdr note;
    const char *at = image_section_bytes(&file->image, section);
    if (!at || section->sh_size < sizeof note + 4 + image->build_id_len)
        return false;
    memcpy(&note, at, sizeof note);
    return note.n_namesz == 4 && note.n_descsz == image->build_id_len &&
           memcmp(at + sizeof note + 4, image->build_id, image->build_id_len) ==
               0;
}

static int add_symbols(struct plan_image *image, const void *bytes,
                       size_t len_bytes, bool is_same)
{
    struct file file;
    Elf64_Shdr section;
    const char *name;
    if (!open_file(&file, bytes, len_bytes))
        return -ENOENT;
    for (uint64_t i = 0; get_section(&file, i, &section, &name); i++) {
        if (section.sh_type == SHT_SYMTAB &&
            section.sh_entsize == sizeof(Elf64_Sym))
            image_take_symtab(&file.image, &file.header, &section);
        if (image->build_id_len && section.sh_type == SHT_NOTE &&
            strcmp(name, ".note.gnu.build-id") == 0)
            is_same |= has_build_id(&file, &section, image);
    }
    if (!is_same)
        return -ESTALE;
    if (!file.image.symtab)
        return -ENOENT;
    image->symtab = file.image.symtab;
    image->symtab_count = file.image.symtab_count;
    image->strtab = file.image.strtab;
    image->strtab_len = file.image.strtab_len;
    return 0;
}

int plan_image_add_debug(struct plan_image *image, const void *bytes,
                         size_t len_bytes, uint32_t crc)
{
    bool is_same = image->build_id_len == 0 && crc_of(bytes, len_bytes) == crc;
    return add_symbols(image, bytes, len_bytes, is_same);
}

int plan_image_add_debugdata(struct plan_image *image, const void *bytes,
                             size_t len_bytes)
{
    return add_symbols(image, bytes, len_bytes, true);
}
