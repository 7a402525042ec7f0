/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mapped object and a file have in common: segments, notes, the
 * dynamic section. A mapped object is read through its load bias, a file
 * through its segments' offsets; plan_image_at() hides the difference, and is
 * the one place where an address of the object becomes a pointer.
 */
#include "shim/plan/image/image.h"
#include "shim/plan/image/image_internal.h"

#include <errno.h>

static const struct plan_segment *segment_of(const struct plan_image *image,
                                             uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *s = &image->segments[i];
        uint64_t len = image->is_mapped ? s->memsz : s->filesz;
        if (vaddr >= s->vaddr && vaddr - s->vaddr < len)
            return s;
    }
    return NULL;
}

const void *plan_image_at(const struct plan_image *image, uint64_t vaddr,
                          uint64_t n)
{
    const struct plan_segment *s = segment_of(image, vaddr);
    if (s == NULL || !(s->flags & PF_R))
        return NULL;
    uint64_t skip = vaddr - s->vaddr;
    uint64_t len = image->is_mapped ? s->memsz : s->filesz;
    if (n > len - skip)
        return NULL;
    if (image->is_mapped)
        return (const void *)(uintptr_t)(image->base + vaddr);
    return image->bytes + s->offset + skip;
}

uint64_t image_bytes_from(const struct plan_image *image, uint64_t vaddr)
{
    const struct plan_segment *s = segment_of(image, vaddr);
    if (s == NULL || !(s->flags & PF_R))
        return 0;
    uint64_t len = image->is_mapped ? s->memsz : s->filesz;
    return len - (vaddr - s->vaddr);
}

bool image_is_executable(const struct plan_image *image, uint64_t vaddr)
{
    const struct plan_segment *s = segment_of(image, vaddr);
    return s != NULL && (s->flags & PF_X);
}

bool image_is_constant(const struct plan_image *image, uint64_t vaddr)
{
    const struct plan_segment *s = segment_of(image, vaddr);
    if (s == NULL)
        return false;
    return !(s->flags & PF_W) ||
           (vaddr >= image->relro && vaddr - image->relro < image->relro_len);
}

bool image_code_range(const struct plan_image *image, uint64_t *low,
                      uint64_t *high)
{
    *low = UINT64_MAX;
    *high = 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *segment = &image->segments[i];
        if (!(segment->flags & PF_X))
            continue;
        if (segment->vaddr < *low)
            *low = segment->vaddr;
        if (segment->vaddr + segment->memsz > *high)
            *high = segment->vaddr + segment->memsz;
    }
    return *low < *high;
}

bool image_is_fixed(const struct plan_image *image)
{
    return !image->is_pie && image->soname == NULL && image->base == 0 &&
           image->segments[0].vaddr >= 0x10000;
}

uint64_t image_strings_len(const char *strings, uint64_t len)
{
    while (len > 0 && strings[len - 1] != '\0')
        len--;
    return len;
}

static int take_segment(struct plan_image *image, const Elf64_Phdr *phdr,
                        const char **why)
{
    uint64_t end;
    *why = "its load segments contradict each other";
    if (phdr->p_memsz < phdr->p_filesz ||
        __builtin_add_overflow(phdr->p_vaddr, phdr->p_memsz, &end))
        return -EINVAL;
    if (!image->is_mapped) {
        if (__builtin_add_overflow(phdr->p_offset, phdr->p_filesz, &end) ||
            end > image->len_bytes) {
            *why = "it is truncated";
            return -EINVAL;
        }
    }
    if (image->segment_count == PLAN_SEGMENT_MAX) {
        *why = "it has too many load segments";
        return -EINVAL;
    }
    image->segments[image->segment_count++] =
        (struct plan_segment){.vaddr = phdr->p_vaddr,
                              .memsz = phdr->p_memsz,
                              .filesz = phdr->p_filesz,
                              .offset = phdr->p_offset,
                              .flags = phdr->p_flags};
    return 0;
}

static void take_other(struct plan_image *image, const Elf64_Phdr *phdr)
{
    uint64_t len;
    switch (phdr->p_type) {
    case PT_DYNAMIC:
        image->dynamic = phdr->p_vaddr;
        image->dynamic_len = phdr->p_memsz;
        break;
    case PT_GNU_EH_FRAME:
        image->eh_frame_hdr = phdr->p_vaddr;
        image->eh_frame_hdr_len = phdr->p_memsz;
        break;
    case PT_GNU_RELRO:
        image->relro = phdr->p_vaddr;
        image->relro_len = phdr->p_memsz;
        break;
    case PT_INTERP:
        image->interpreter = plan_image_at(image, phdr->p_vaddr, phdr->p_memsz);
        if (image->interpreter == NULL)
            break;
        len = image_strings_len(image->interpreter, phdr->p_memsz);
        if (len == 0)
            image->interpreter = NULL;
        break;
    case PT_NOTE:
        image_take_notes(image, phdr);
        break;
    default:
        break;
    }
}

int image_take_phdrs(struct plan_image *image, const Elf64_Phdr *phdr,
                     size_t count, const char **why)
{
    Elf64_Phdr one;
    for (size_t i = 0; i < count; i++) {
        memcpy(&one, phdr + i, sizeof one);
        if (one.p_type == PT_LOAD) {
            int rc = take_segment(image, &one, why);
            if (rc < 0)
                return rc;
        }
    }
    if (image->segment_count == 0) {
        *why = "it has no load segment";
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(&one, phdr + i, sizeof one);
        take_other(image, &one);
    }
    image_take_eh_frame_hdr(image);
    return 0;
}

static void take_note(struct plan_image *image, const Elf64_Nhdr *note,
                      const uint8_t *name, const uint8_t *desc)
{
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
        memcmp(name, "GNU", 4) == 0 && image->build_id_len == 0 &&
        note->n_descsz <= PLAN_BUILD_ID_MAX) {
        memcpy(image->build_id, desc, note->n_descsz);
        image->build_id_len = note->n_descsz;
    }
    if (note->n_namesz >= 3 && memcmp(name, "Go", 3) == 0)
        image->is_go = true;
}

void image_take_notes(struct plan_image *image, const Elf64_Phdr *phdr)
{
    uint64_t align = phdr->p_align == 8 ? 8 : 4, at = 0;
    uint64_t len = image->is_mapped ? phdr->p_memsz : phdr->p_filesz;
    const uint8_t *bytes = plan_image_at(image, phdr->p_vaddr, len);
    while (bytes != NULL && len - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, bytes + at, sizeof note);
        uint64_t name = at + sizeof note;
        uint64_t desc = (name + note.n_namesz + align - 1) & ~(align - 1);
        uint64_t next = (desc + note.n_descsz + align - 1) & ~(align - 1);
        if (desc > len || note.n_descsz > len - desc)
            return;
        take_note(image, &note, bytes + name, bytes + desc);
        if (next >= len)
            return;
        at = next;
    }
}

/*
 * ld.so writes run-time addresses into the dynamic section of most objects
 * (not of the vDSO, and not for every tag): what lies in a segment after the
 * bias is taken off was relocated.
 */
static uint64_t link_address(const struct plan_image *image, uint64_t value)
{
    if (image->is_mapped && image->base != 0 && value >= image->base &&
        segment_of(image, value - image->base) != NULL)
        return value - image->base;
    return value;
}

static void take_relocation_tag(struct plan_image *image, int64_t tag,
                                uint64_t value)
{
    switch (tag) {
    case DT_RELA:
        image->rela = link_address(image, value);
        break;
    case DT_RELASZ:
        image->rela_len = value;
        break;
    case DT_JMPREL:
        image->jmprel = link_address(image, value);
        break;
    case DT_PLTRELSZ:
        image->jmprel_len = value;
        break;
    case DT_RELR:
        image->relr = link_address(image, value);
        break;
    case DT_RELRSZ:
        image->relr_len = value;
        break;
    default:
        break;
    }
}

struct dynamic_values {
    uint64_t symtab, strtab, strsz, gnu_hash, hash, versym, soname;
    bool has_soname, has_needed;
};

static void take_tag(struct plan_image *image, struct dynamic_values *v,
                     int64_t tag, uint64_t value)
{
    switch (tag) {
    case DT_SYMTAB:
        v->symtab = link_address(image, value);
        break;
    case DT_STRTAB:
        v->strtab = link_address(image, value);
        break;
    case DT_STRSZ:
        v->strsz = value;
        break;
    case DT_GNU_HASH:
        v->gnu_hash = link_address(image, value);
        break;
    case DT_HASH:
        v->hash = link_address(image, value);
        break;
    case DT_VERSYM:
        v->versym = link_address(image, value);
        break;
    case DT_VERDEF:
        image->verdef = link_address(image, value);
        break;
    case DT_VERDEFNUM:
        image->verdef_count = value;
        break;
    case DT_VERNEED:
        image->verneed = link_address(image, value);
        break;
    case DT_VERNEEDNUM:
        image->verneed_count = value;
        break;
    case DT_SONAME:
        v->soname = value;
        v->has_soname = true;
        break;
    case DT_NEEDED:
        v->has_needed = true;
        break;
    case DT_SYMBOLIC:
        image->is_symbolic = true;
        break;
    case DT_FLAGS:
        image->is_symbolic |= (value & DF_SYMBOLIC) != 0;
        image->has_text_relocations |= (value & DF_TEXTREL) != 0;
        break;
    case DT_TEXTREL:
        image->has_text_relocations = true;
        break;
    case DT_FLAGS_1:
        image->is_pie |= (value & DF_1_PIE) != 0;
        break;
    default:
        take_relocation_tag(image, tag, value);
    }
}

static uint32_t hash_word(const struct plan_image *image, uint64_t index)
{
    uint32_t word;
    memcpy(&word, (const char *)(const void *)image->gnu_hash + index * 4, 4);
    return word;
}

/* .gnu.hash does not say how many symbols there are: the end of the chain of
 * the highest bucket does. */
static uint64_t count_by_gnu_hash(const struct plan_image *image)
{
    uint64_t words = image->gnu_hash_words;
    if (words < 4)
        return 0;
    uint64_t buckets = hash_word(image, 0), first = hash_word(image, 1);
    uint64_t table = 4 + 2 * (uint64_t)hash_word(image, 2), highest = 0;
    if (table + buckets > words)
        return 0;
    for (uint64_t i = 0; i < buckets; i++)
        if (hash_word(image, table + i) > highest)
            highest = hash_word(image, table + i);
    if (highest < first)
        return first;
    for (uint64_t at = table + buckets + highest - first; at < words; at++)
        if (hash_word(image, at) & 1)
            return first + (at - table - buckets) + 1;
    return 0;
}

/* An object that exports nothing hashes nothing, and its imports are up to
 * where the next table begins. */
static uint64_t count_by_next_table(const struct plan_image *image,
                                    const struct dynamic_values *v)
{
    const uint64_t tables[] = {v->strtab,   v->versym,     v->gnu_hash,
                               v->hash,     image->rela,   image->jmprel,
                               image->relr, image->dynamic};
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (tables[i] > v->symtab && tables[i] < next)
            next = tables[i];
    }
    return next == UINT64_MAX ? 0 : (next - v->symtab) / sizeof(Elf64_Sym);
}

static void take_symbols(struct plan_image *image,
                         const struct dynamic_values *v)
{
    uint32_t hash[2] = {0, 0};
    uint64_t count = 0, room = image_bytes_from(image, v->symtab);
    if (v->gnu_hash != 0) {
        image->gnu_hash_words = image_bytes_from(image, v->gnu_hash) / 4;
        image->gnu_hash = plan_image_at(image, v->gnu_hash, 4);
        count = count_by_gnu_hash(image);
        if (count > 0 && count == hash_word(image, 1)) {
            uint64_t all = count_by_next_table(image, v);
            count = all > count ? all : count;
        }
    }
    if (image->gnu_hash == NULL || count == 0) {
        image->gnu_hash = NULL;
        image->gnu_hash_words = 0;
    }
    if (v->hash != 0 && image_read(image, v->hash, hash, sizeof hash) &&
        hash[1] > count)
        count = hash[1];
    if (count > room / sizeof(Elf64_Sym))
        count = room / sizeof(Elf64_Sym);
    if (v->symtab == 0 || count == 0 || image->dynstr == NULL)
        return;
    image->dynsym = plan_image_at(image, v->symtab, count * sizeof(Elf64_Sym));
    image->dynsym_count = count;
    if (v->versym != 0)
        image->versym = plan_image_at(image, v->versym, count * 2);
}

static void forget_table_outside(const struct plan_image *image, uint64_t *at,
                                 uint64_t *len)
{
    if (*len > 0 && plan_image_at(image, *at, *len) != NULL)
        return;
    *at = 0;
    *len = 0;
}

int image_take_dynamic(struct plan_image *image, const char **why)
{
    struct dynamic_values v = {0};
    uint64_t room = image_bytes_from(image, image->dynamic);
    Elf64_Dyn entry;
    if (image->dynamic == 0)
        goto out;
    for (uint64_t at = 0; at + sizeof entry <= room; at += sizeof entry) {
        if (!image_read(image, image->dynamic + at, &entry, sizeof entry) ||
            entry.d_tag == DT_NULL)
            break;
        take_tag(image, &v, entry.d_tag, entry.d_un.d_val);
    }
    if (v.strtab != 0) {
        image->dynstr = plan_image_at(image, v.strtab, v.strsz);
        if (image->dynstr == NULL) {
            *why = "its dynamic string table lies outside the object";
            return -EINVAL;
        }
        image->dynstr_len = image_strings_len(image->dynstr, v.strsz);
    }
    if (v.has_soname && v.soname < image->dynstr_len)
        image->soname = image->dynstr + v.soname;
    take_symbols(image, &v);
    forget_table_outside(image, &image->rela, &image->rela_len);
    forget_table_outside(image, &image->jmprel, &image->jmprel_len);
    forget_table_outside(image, &image->relr, &image->relr_len);
out:
    image->is_static = image->interpreter == NULL && !v.has_needed &&
                       image->soname == NULL &&
                       (image->is_pie || image->dynamic == 0);
    image->has_static_pie_flag = image->is_static && image->is_pie;
    return 0;
}

int plan_image_map(struct plan_image *image, uint64_t base, const void *phdr,
                   size_t phdr_count, const char **why)
{
    memset(image, 0, sizeof *image);
    image->is_mapped = true;
    image->base = base;
    image->bytes = (const uint8_t *)(uintptr_t)base;
    int rc = image_take_phdrs(image, phdr, phdr_count, why);
    if (rc < 0)
        return rc;
    return image_take_dynamic(image, why);
}
