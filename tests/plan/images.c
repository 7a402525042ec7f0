/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of this very process, read as mapped objects and as files: both
 * must say the same, and the same as the loader. Names are looked up through
 * dlsym() for comparison; build ids and symbols come from two readings.
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"
#include "tests/plan/look.h"
#include "shim/plan/image/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures, objects;
static void *scratch;

#define CHECK(condition, ...)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("%s:%d: ", __FILE__, __LINE__);                             \
            printf(__VA_ARGS__);                                               \
            printf("\n");                                                      \
            failures++;                                                        \
        }                                                                      \
    } while (0)

static const void *map_file(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    *len = (size_t)st.st_size;
    return bytes == MAP_FAILED ? NULL : bytes;
}

struct pair {
    struct plan_image mapped, file;
    const char *path;
    int compared;
};

/* The plan of the file, moved to where the object is mapped, is that of the
 * mapped object. */
static void compare_moved(struct pair *p, const struct plan_symbol *symbol)
{
    struct plan_patch a, b;
    uint64_t vaddr = symbol->vaddr, base = p->mapped.base;
    uint64_t at = base + vaddr + (1 << 20);
    int rc_a = plan_entry_patch(&plan_decoder_zydis, &p->mapped, vaddr, at,
                                scratch, &a);
    int rc_b = plan_entry_patch(&plan_decoder_zydis, &p->file, vaddr,
                                vaddr + (3 << 20), scratch, &b);
    if (rc_a != 0 || a.copy_len == 0)
        return;
    rc_b = rc_b ? rc_b : plan_patch_move(&b, vaddr, base, at);
    CHECK(rc_b == 0 && a.copy_len == b.copy_len &&
              memcmp(a.copy, b.copy, a.copy_len) == 0 && a.entry == b.entry &&
              a.patch_at == b.patch_at && a.reach_low == b.reach_low &&
              a.reach_high == b.reach_high &&
              memcmp(a.original, b.original, sizeof(a.original)) == 0,
          "%s: the plan of %s, moved", p->path, symbol->name);
    CHECK(plan_patch_move(&b, vaddr, base, at + (UINT64_C(1) << 40)) ==
              (b.field_count > 0 && b.reach_high ? -ERANGE : 0),
          "%s: the plan of %s, moved too far", p->path, symbol->name);
}

/* The same function, in both readings: extent, verdict, proof. */
static int compare_function(void *context, const struct plan_symbol *symbol)
{
    struct pair *p = context;
    struct plan_patch a = {0}, b = {0};
    struct plan_symbol again;
    uint64_t end_a = 0, end_b = 0;
    if (!symbol->is_exported || ++p->compared % 7 != 0)
        return 0;
    CHECK(plan_image_symbol_at(&p->mapped, symbol->vaddr, &again) == 0 &&
              again.vaddr == symbol->vaddr,
          "%s: %s is not found by its address", p->path, symbol->name);
    int rc_a = plan_image_function_extent(&p->mapped, symbol->vaddr, &end_a);
    int rc_b = plan_image_function_extent(&p->file, symbol->vaddr, &end_b);
    CHECK(rc_a == rc_b && end_a == end_b, "%s: extent of %s", p->path,
          symbol->name);
    rc_a = plan_entry_patch(&plan_decoder_zydis, &p->mapped, symbol->vaddr, 0,
                            scratch, &a);
    rc_b = plan_entry_patch(&plan_decoder_zydis, &p->file, symbol->vaddr, 0,
                            scratch, &b);
    CHECK(rc_a == 0 && rc_b == 0 && a.verdict == b.verdict &&
              a.displaced_bytes == b.displaced_bytes,
          "%s: patch of %s: %s, %s", p->path, symbol->name,
          plan_verdict_text(a.verdict), plan_verdict_text(b.verdict));
    enum plan_stack stack_a = plan_prove_stack(
        &plan_decoder_zydis, &p->mapped, symbol->vaddr, NULL, scratch, NULL);
    enum plan_stack stack_b = plan_prove_stack(
        &plan_decoder_zydis, &p->file, symbol->vaddr, NULL, scratch, NULL);
    CHECK(stack_a == stack_b, "%s: proof of %s: %s, %s", p->path, symbol->name,
          plan_stack_text(stack_a), plan_stack_text(stack_b));
    compare_moved(p, symbol);
    return p->compared > 2000;
}

static void compare_readings(struct pair *p)
{
    CHECK(p->mapped.build_id_len == p->file.build_id_len &&
              memcmp(p->mapped.build_id, p->file.build_id,
                     p->file.build_id_len) == 0,
          "%s: build id", p->path);
    CHECK(p->mapped.dynsym_count == p->file.dynsym_count &&
              p->mapped.dynsym_count > 0,
          "%s: %lu and %lu symbols", p->path,
          (unsigned long)p->mapped.dynsym_count,
          (unsigned long)p->file.dynsym_count);
    CHECK(p->mapped.fde_count == p->file.fde_count, "%s: FDEs", p->path);
    CHECK(p->mapped.rela == p->file.rela && p->mapped.jmprel == p->file.jmprel,
          "%s: relocations", p->path);
    CHECK((p->mapped.soname == NULL) == (p->file.soname == NULL) &&
              (p->file.soname == NULL ||
               strcmp(p->mapped.soname, p->file.soname) == 0),
          "%s: SONAME", p->path);
    plan_image_each_function(&p->mapped, compare_function, p);
}

static int each_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct pair p = {.path = info->dlpi_name};
    const char *why = "";
    size_t len = 0;
    (void)size, (void)context;
    int rc = plan_image_map(&p.mapped, info->dlpi_addr, info->dlpi_phdr,
                            info->dlpi_phnum, &why);
    CHECK(rc == 0, "%s: mapped: %s", p.path, why);
    if (p.path[0] == '\0')
        p.path = "/proc/self/exe";
    const void *bytes = map_file(p.path, &len);
    if (rc < 0 || bytes == NULL)
        return 0; /* the vDSO */
    rc = plan_image_file(&p.file, bytes, len, &why);
    CHECK(rc == 0, "%s: file: %s", p.path, why);
    void *memory[] = {look_for_branches(&p.mapped), look_for_branches(&p.file)};
    if (rc == 0)
        compare_readings(&p);
    free(memory[0]);
    free(memory[1]);
    objects++;
    return 0;
}

/* ---- against the loader
 * --------------------------------------------------------- */

struct by_name {
    const char *object;
    struct plan_image image;
    bool found;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct by_name *b = context;
    const char *why;
    (void)size;
    if (strstr(info->dlpi_name, b->object) == NULL)
        return 0;
    b->found = plan_image_map(&b->image, info->dlpi_addr, info->dlpi_phdr,
                              info->dlpi_phnum, &why) == 0;
    return 1;
}

/* Several versions of memcpy, one default: the one that dlsym gives. */
static void compare_with_dlsym(void)
{
    static const char *const names[] = {
        "qsort", "printf", "fopen", "realpath", "pthread_create", "regexec"};
    struct by_name libc = {.object = "libc.so.6"};
    struct plan_symbol symbol;
    dl_iterate_phdr(find_object, &libc);
    CHECK(libc.found, "no libc");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int rc = plan_image_find_symbol(&libc.image, names[i], &symbol);
        uint64_t at = libc.image.base + symbol.vaddr;
        CHECK(rc == 0 && at == (uintptr_t)dlsym(RTLD_DEFAULT, names[i]),
              "%s is elsewhere", names[i]);
    }
    CHECK(plan_image_find_symbol(&libc.image, "no_such_name", &symbol) ==
              -ENOENT,
          "a name that is not there was found");
    CHECK(plan_image_find_symbol(&libc.image, "memcpy", &symbol) == 0 &&
              symbol.is_ifunc,
          "memcpy is an ifunc");
    CHECK(libc.image.soname && strcmp(libc.image.soname, "libc.so.6") == 0,
          "libc's SONAME");
}

static void check_vdso(void)
{
    struct plan_image vdso;
    struct plan_symbol symbol;
    const char *why = "";
    uint64_t base = getauxval(AT_SYSINFO_EHDR);
    if (base == 0)
        return;
    const ElfW(Ehdr) *header = (const void *)(uintptr_t)base;
    const void *phdr = (const char *)header + header->e_phoff;
    CHECK(plan_image_map(&vdso, base, phdr, header->e_phnum, &why) == 0,
          "vDSO: %s", why);
    CHECK(plan_image_find_symbol(&vdso, "__vdso_clock_gettime", &symbol) == 0,
          "vDSO: no clock_gettime");
}

/* This program: a .symtab can be added to the mapped reading. */
static int marked_static_function(int a)
{
    return a + 1;
}
static int (*volatile use_it)(int) = marked_static_function;

static int check_self(struct dl_phdr_info *info, size_t size, void *context)
{
    struct plan_image self;
    struct plan_symbol symbol;
    const char *why;
    size_t len = 0, other_len = 0;
    (void)size, (void)context;
    const void *bytes = map_file("/proc/self/exe", &len);
    const void *other = map_file("/bin/ls", &other_len);
    int rc = plan_image_map(&self, info->dlpi_addr, info->dlpi_phdr,
                            info->dlpi_phnum, &why);
    CHECK(rc == 0 && bytes != NULL && other != NULL, "cannot read itself");
    CHECK(plan_image_find_symbol(&self, "marked_static_function", &symbol) < 0,
          "a static function without .symtab");
    CHECK(plan_image_add_symtab(&self, other, other_len, true) == -ESTALE,
          "another object's symbols were taken");
    CHECK(plan_image_add_symtab(&self, bytes, len, false) == 0, "add_symtab");
    rc = plan_image_find_symbol(&self, "marked_static_function", &symbol);
    CHECK(rc == 0 && symbol.is_local &&
              self.base + symbol.vaddr == (uintptr_t)use_it,
          "the static function is elsewhere");
    CHECK(self.is_pie && self.interpreter != NULL && !self.is_static,
          "this is a PIE with an interpreter");
    return 1; /* the program comes first */
}

/* A file without section headers still has its dynamic symbols. */
static void check_without_sections(const char *path)
{
    struct plan_image image;
    struct plan_symbol symbol;
    const char *why = "";
    size_t len = 0;
    const void *bytes = map_file(path, &len);
    uint8_t *copy = bytes != NULL ? malloc(len) : NULL;
    ElfW(Ehdr) header;
    if (copy == NULL)
        return;
    memcpy(copy, bytes, len);
    memcpy(&header, copy, sizeof header);
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
    memcpy(copy, &header, sizeof header);
    CHECK(plan_image_file(&image, copy, len, &why) == 0, "%s", why);
    CHECK(plan_image_find_symbol(&image, "not_loop", &symbol) == 0,
          "no dynamic symbol without section headers");
    CHECK(plan_prove_stack(&plan_decoder_zydis, &image, symbol.vaddr, NULL,
                           scratch, NULL) != PLAN_STACK_LOCAL,
          "proved");
    free(copy);
}

int main(int argc, char **argv)
{
    scratch = malloc(plan_scratch_bytes());
    if (scratch == NULL || argc < 2)
        return 2;
    dl_iterate_phdr(each_object, NULL);
    compare_with_dlsym();
    check_vdso();
    dl_iterate_phdr(check_self, NULL);
    check_without_sections(argv[1]);
    printf("%d objects, %d failures\n", objects, failures);
    return failures > 0 || objects < 3;
}
