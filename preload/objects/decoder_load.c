/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why not dlopen: our constructor runs before libc's own. dlopen then runs
 * libc's constructor as that of a dependency, with the arguments that libc
 * would only have learned in it: argc 0, argv and environ NULL, and the
 * program starts without its environment (tests/bind: it did). From the
 * loader's notification dlopen cannot be called either. And a library that
 * nobody else is to see needs no entry in the loader's list.
 *
 * What is loaded this way is a library of pure functions: no constructor of
 * meaning, no thread-local storage, imports that are listed below. Anything
 * else is refused.
 */
#include "preload/objects/decoder_load.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    HEADER_BYTES = 4096,
    SPAN_MAX = 64 << 20
};

/* The library's assertions and its stack protector: both are the end of it,
 * and of a process that did nothing wrong; there is nowhere to go on to. */
static void give_up(void)
{
    abort();
}

struct import {
    const char *name;
    void *function;
};
static const struct import imports[] = {
    {"memcpy", (void *)memcpy},         {"memset", (void *)memset},
    {"memmove", (void *)memmove},       {"memcmp", (void *)memcmp},
    {"strlen", (void *)strlen},         {"strcmp", (void *)strcmp},
    {"__assert_fail", (void *)give_up}, {"__stack_chk_fail", (void *)give_up},
};
/* Weak hooks of the toolchain that nobody defines here. */
static const char *const absent[] = {
    "__gmon_start__", "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable", "__cxa_finalize"};

static uint64_t page_down(uint64_t at)
{
    return at & ~(uint64_t)(PAGE - 1);
}

static uint64_t page_up(uint64_t at)
{
    lane_assert(at <= UINT64_MAX - PAGE);
    return page_down(at + PAGE - 1);
}

static int check_header(struct decoder_mapped *load, const uint8_t *bytes)
{
    lane_assert(load->span == 0 && load->fd >= 0);
    const Elf64_Ehdr *header = (const void *)bytes;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_DYN ||
        header->e_machine != EM_X86_64 ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phoff % _Alignof(Elf64_Phdr) != 0 ||
        header->e_phoff > HEADER_BYTES || header->e_phnum > DECODER_PHDRS_MAX ||
        header->e_phnum > (HEADER_BYTES - header->e_phoff) / sizeof(Elf64_Phdr))
        return -ENOEXEC;
    load->phdr_count = header->e_phnum;
    memcpy(load->phdr, bytes + header->e_phoff,
           load->phdr_count * sizeof(Elf64_Phdr));
    for (unsigned i = 0; i < load->phdr_count; i++) {
        const Elf64_Phdr *at = &load->phdr[i];
        if ((at->p_type == PT_TLS && load->thread_local == 0) ||
            at->p_type == PT_INTERP)
            return -ENOEXEC;
        if (at->p_type != PT_LOAD)
            continue;
        if (at->p_vaddr > SPAN_MAX || at->p_memsz > SPAN_MAX ||
            at->p_filesz > at->p_memsz || at->p_offset > load->file_bytes ||
            at->p_filesz > load->file_bytes - at->p_offset ||
            (at->p_vaddr - at->p_offset) % PAGE != 0 ||
            (at->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
            return -ENOEXEC;
        uint64_t end = page_up(at->p_vaddr + at->p_memsz);
        load->span = end > load->span ? end : load->span;
    }
    return load->span ? 0 : -ENOEXEC;
}

static int map_segment(const struct decoder_mapped *load, const Elf64_Phdr *at)
{
    lane_assert(load->base != 0 && at->p_vaddr + at->p_memsz <= load->span);
    lane_assert(at->p_type == PT_LOAD);
    int prot = (at->p_flags & PF_R ? PROT_READ : 0) |
               (at->p_flags & PF_W ? PROT_WRITE : 0) |
               (at->p_flags & PF_X ? PROT_EXEC : 0);
    uint64_t low = load->base + page_down(at->p_vaddr);
    uint64_t file_end = load->base + at->p_vaddr + at->p_filesz;
    uint64_t end = load->base + at->p_vaddr + at->p_memsz;
    int flags = MAP_PRIVATE | MAP_FIXED;
    if (mmap((void *)low, file_end - low, prot, flags, load->fd,
             (off_t)page_down(at->p_offset)) == MAP_FAILED)
        return -errno;
    if (end == file_end)
        return 0;
    if (!(at->p_flags & PF_W))
        return -ENOEXEC;
    uint64_t file_page_end = page_up(file_end);
    memset((void *)file_end, 0,
           (end < file_page_end ? end : file_page_end) - file_end);
    if (page_up(end) > file_page_end &&
        mmap((void *)file_page_end, page_up(end) - file_page_end, prot,
             flags | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        return -errno;
    return 0;
}

static int map_segments(struct decoder_mapped *load)
{
    lane_assert(load->span != 0 && load->span % PAGE == 0);
    void *at = mmap(NULL, load->span, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    load->base = (uint64_t)at;
    for (unsigned i = 0; i < load->phdr_count; i++) {
        if (load->phdr[i].p_type != PT_LOAD)
            continue;
        int err = map_segment(load, &load->phdr[i]);
        if (err)
            return err;
    }
    return 0;
}

static int find_import(const char *name, uint64_t *value)
{
    for (size_t i = 0; i < sizeof(imports) / sizeof(*imports); i++) {
        if (strcmp(name, imports[i].name) == 0) {
            *value = (uint64_t)imports[i].function;
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        if (strcmp(name, absent[i]) == 0) {
            *value = 0;
            return 0;
        }
    }
    return -ENOENT;
}

static int relocate_slot(void *context, const struct plan_slot *slot)
{
    const struct plan_image *image = context;
    uint64_t *word =
        (uint64_t *)(uintptr_t)plan_image_at(image, slot->vaddr, sizeof(*word));
    uint64_t value;
    if (!word || slot->type == R_X86_64_IRELATIVE)
        return -ENOEXEC;
    if (slot->is_defined_here)
        value = image->base + slot->definition;
    else if (find_import(slot->name, &value) != 0)
        return -ENOENT;
    *word = value;
    return 0;
}

/* Every relocation is one that plan_image_each_slot tells, or the place of the
 * thread-local variable, which is set here. */
static bool knows_all_relocations(const struct decoder_mapped *load,
                                  const struct plan_image *image)
{
    uint64_t count = image->rela_len / sizeof(Elf64_Rela);
    const Elf64_Rela *at = plan_image_at(image, image->rela, image->rela_len);
    for (uint64_t i = 0; at && i < count; i++) {
        uint64_t type = ELF64_R_TYPE(at[i].r_info);
        int64_t *word = (int64_t *)(uintptr_t)plan_image_at(
            image, at[i].r_offset, sizeof(*word));
        if (type == R_X86_64_TPOFF64 && load->thread_local && word)
            *word = load->thread_local;
        else if (type != R_X86_64_RELATIVE && type != R_X86_64_GLOB_DAT &&
                 type != R_X86_64_64 && type != R_X86_64_JUMP_SLOT)
            return false;
    }
    return image->relr_len == 0;
}

static int finish(const struct decoder_mapped *load, struct plan_image *image)
{
    lane_assert(load->base != 0);
    const char *why;
    int err =
        plan_image_map(image, load->base, load->phdr, load->phdr_count, &why);
    if (err)
        return err;
    if (!knows_all_relocations(load, image))
        return -ENOEXEC;
    err = plan_image_each_slot(image, relocate_slot, image);
    for (unsigned i = 0; err == 0 && i < load->phdr_count; i++) {
        const Elf64_Phdr *at = &load->phdr[i];
        uint64_t low = page_down(load->base + at->p_vaddr);
        uint64_t high = page_down(load->base + at->p_vaddr + at->p_memsz);
        if (at->p_type == PT_GNU_RELRO &&
            mprotect((void *)low, high - low, PROT_READ) != 0)
            err = -errno;
    }
    return err;
}

static int map_file(const char *path, struct decoder_mapped *load)
{
    _Alignas(8) uint8_t header[HEADER_BYTES];
    struct stat st;
    load->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (load->fd < 0)
        return -errno;
    int err = -ENOEXEC;
    if (fstat(load->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size >= HEADER_BYTES &&
        pread(load->fd, header, HEADER_BYTES, 0) == HEADER_BYTES) {
        load->file_bytes = (uint64_t)st.st_size;
        err = check_header(load, header);
    }
    if (err == 0)
        err = map_segments(load);
    close(load->fd);
    if (err && load->base)
        munmap((void *)load->base, load->span);
    return err;
}

int decoder_map(const char *path, struct decoder_mapped *out)
{
    *out = (struct decoder_mapped){.fd = -1};
    return map_file(path, out);
}

int decoder_finish(const struct decoder_mapped *mapped,
                   struct plan_image *image)
{
    int err = finish(mapped, image);
    if (err)
        munmap((void *)mapped->base, mapped->span);
    return err;
}

int decoder_load_symbol(const char *path, int64_t thread_local,
                        struct plan_image *image)
{
    struct decoder_mapped load = {.fd = -1, .thread_local = thread_local};
    int err = map_file(path, &load);
    return err ? err : decoder_finish(&load, image);
}

int decoder_load(const char *path, struct plan_image *image)
{
    return decoder_load_symbol(path, 0, image);
}
