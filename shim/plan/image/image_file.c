/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object from its file's bytes: the ELF header, the program headers, and
 * of the section headers (which a stripped file may lack, and which nothing
 * relies on) what they add: .symtab, .gopclntab.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

static int check_header(const Elf64_Ehdr *header, const char **why)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        *why = "it is not an ELF object";
    else if (header->e_ident[EI_CLASS] != ELFCLASS64)
        *why = "it is a 32-bit object";
    else if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
             header->e_machine != EM_X86_64)
        *why = "it is for another kind of CPU";
    else if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        *why = "it is neither a program nor a shared object";
    else
        return 0;
    return -ENOEXEC;
}

/* The bytes of a section, or NULL. */
const void *image_section_bytes(const struct plan_image *image,
                                const Elf64_Shdr *section)
{
    uint64_t end;
    if (section->sh_type == SHT_NOBITS || section->sh_size == 0 ||
        __builtin_add_overflow(section->sh_offset, section->sh_size, &end) ||
        end > image->len_bytes)
        return NULL;
    return image->bytes + section->sh_offset;
}

bool image_section_get(const struct plan_image *image, const Elf64_Ehdr *header,
                       uint64_t index, Elf64_Shdr *out)
{
    uint64_t at, end;
    if (index >= header->e_shnum ||
        __builtin_add_overflow(header->e_shoff, index * sizeof *out, &at) ||
        __builtin_add_overflow(at, sizeof *out, &end) || end > image->len_bytes)
        return false;
    memcpy(out, image->bytes + at, sizeof *out);
    return true;
}

void image_take_symtab(struct plan_image *image, const Elf64_Ehdr *header,
                       const Elf64_Shdr *section)
{
    Elf64_Shdr strings;
    const void *symbols = image_section_bytes(image, section);
    if (symbols == NULL ||
        !image_section_get(image, header, section->sh_link, &strings))
        return;
    const char *text = image_section_bytes(image, &strings);
    if (text == NULL)
        return;
    image->symtab = symbols;
    image->symtab_count = section->sh_size / sizeof(Elf64_Sym);
    image->strtab = text;
    image->strtab_len = image_strings_len(text, strings.sh_size);
}

static void take_named(struct plan_image *image, const char *name)
{
    if (strcmp(name, ".gopclntab") == 0 ||
        strcmp(name, ".data.rel.ro.gopclntab") == 0)
        image->is_go = true;
}

static void take_sections(struct plan_image *image, const Elf64_Ehdr *header)
{
    Elf64_Shdr section, names;
    const char *text = NULL;
    uint64_t text_len = 0;
    if (header->e_shoff == 0 || header->e_shentsize != sizeof section)
        return;
    if (image_section_get(image, header, header->e_shstrndx, &names))
        text = image_section_bytes(image, &names);
    if (text != NULL)
        text_len = image_strings_len(text, names.sh_size);
    for (uint64_t i = 0; i < header->e_shnum; i++) {
        if (!image_section_get(image, header, i, &section))
            return;
        if (section.sh_type == SHT_SYMTAB &&
            section.sh_entsize == sizeof(Elf64_Sym))
            image_take_symtab(image, header, &section);
        if (section.sh_name < text_len)
            take_named(image, text + section.sh_name);
    }
}

int plan_image_file(struct plan_image *image, const void *bytes,
                    size_t len_bytes, const char **why)
{
    Elf64_Ehdr header;
    uint64_t end;
    memset(image, 0, sizeof *image);
    image->bytes = bytes;
    image->len_bytes = len_bytes;
    *why = "it is too short for an ELF object";
    if (len_bytes < sizeof header)
        return -ENOEXEC;
    memcpy(&header, bytes, sizeof header);
    int rc = check_header(&header, why);
    if (rc < 0)
        return rc;
    *why = "its program headers are not all there";
    if (header.e_phentsize != sizeof(Elf64_Phdr) ||
        __builtin_add_overflow(header.e_phoff,
                               header.e_phnum * sizeof(Elf64_Phdr), &end) ||
        end > len_bytes)
        return -EINVAL;
    rc = image_take_phdrs(image, (const void *)(image->bytes + header.e_phoff),
                          header.e_phnum, why);
    if (rc < 0)
        return rc;
    image->is_pie = header.e_type == ET_DYN && image->interpreter != NULL;
    rc = image_take_dynamic(image, why);
    if (rc < 0)
        return rc;
    take_sections(image, &header);
    return 0;
}

int plan_image_add_symtab(struct plan_image *image, const void *file_bytes,
                          size_t len_bytes, bool is_same)
{
    struct plan_image file;
    const char *why;
    int rc = plan_image_file(&file, file_bytes, len_bytes, &why);
    if (rc < 0)
        return rc;
    if ((image->build_id_len == 0 && !is_same) ||
        file.build_id_len != image->build_id_len ||
        memcmp(file.build_id, image->build_id, image->build_id_len) != 0)
        return -ESTALE;
    image->symtab = file.symtab;
    image->symtab_count = file.symtab_count;
    image->strtab = file.strtab;
    image->strtab_len = file.strtab_len;
    image->is_go |= file.is_go;
    return 0;
}
