/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry patches at work: every function of a real library that can be patched
 * is patched in this process, to count its calls and go on in the relocated
 * copy; then real work must give the same result as before.
 *
 *   run_patched libz|libsqlite3
 *
 * The test writes text through mprotect, as a test may: it has one thread and
 * runs nothing of that library meanwhile.
 */
#define _GNU_SOURCE
#include "shim/plan/plan.h"
#include "tests/plan/look.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ISLAND_BYTES = 32,
    ROOM = 64 << 20,
    PROVED_MAX = 8192
};

struct patcher {
    struct plan_image image;
    const char *name;
    void *scratch;
    uint8_t *island;    /* next free byte */
    uint64_t *calls;    /* counter, near the islands */
    uint64_t low, high; /* of the object, page-aligned */
    int patched, framed, refused, failed, asked, next;
    bool is_local[PROVED_MAX]; /* per function, in table order */
    bool found;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct patcher *p = context;
    const char *why;
    (void)size;
    if (strstr(info->dlpi_name, p->name) == NULL)
        return 0;
    p->found = plan_image_map(&p->image, info->dlpi_addr, info->dlpi_phdr,
                              info->dlpi_phnum, &why) == 0;
    p->name = info->dlpi_name;
    p->low = UINT64_MAX;
    for (uint32_t i = 0; i < p->image.segment_count; i++) {
        const struct plan_segment *s = &p->image.segments[i];
        uint64_t start = (p->image.base + s->vaddr) & ~4095ull;
        uint64_t end = (p->image.base + s->vaddr + s->memsz + 4095) & ~4095ull;
        if (!(s->flags & PF_X))
            continue;
        p->low = start < p->low ? start : p->low;
        p->high = end > p->high ? end : p->high;
    }
    return 1;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

/* An instruction that ends in a 32-bit distance. */
static uint8_t *put_to(uint8_t *at, const char *opcode, size_t n,
                       const void *target)
{
    at = put(at, opcode, n);
    int32_t distance = (int32_t)((const uint8_t *)target - (at + 4));
    return put(at, &distance, sizeof distance);
}

/* [sub $520,%rsp]; incq calls; jmp copy [or call copy; add $520,%rsp; ret] */
static void write_island(struct patcher *p, const struct plan_patch *patch,
                         uint8_t *copy, bool with_frame)
{
    uint8_t *at = p->island, *text = (uint8_t *)(uintptr_t)patch->patch_at;
    if (with_frame)
        at = put(at, "\x48\x81\xec\x08\x02\x00\x00", 7);
    at = put_to(at, "\x48\xff\x05", 3, p->calls);
    at = put_to(at, with_frame ? "\xe8" : "\xe9", 1, copy);
    if (with_frame)
        put(at, "\x48\x81\xc4\x08\x02\x00\x00\xc3", 8);
    memcpy(copy, patch->copy, patch->copy_len);
    put_to(text, "\xe9", 1, p->island);
}

/* Nothing interposes this library here. */
static int resolve_here(void *context, const struct plan_image *image,
                        uint64_t slot, const struct plan_image **target,
                        uint64_t *vaddr)
{
    struct plan_slot found;
    (void)context;
    if (plan_image_find_slot(image, slot, &found) < 0 || !found.is_defined_here)
        return -ENOENT;
    *target = image;
    *vaddr = found.definition;
    return 0;
}

/* Every proof is made before any text changes: it reads other functions. */
static int prove_one(void *context, const struct plan_symbol *symbol)
{
    struct patcher *p = context;
    struct plan_resolver resolver = {.resolve_slot = resolve_here};
    bool is_local =
        plan_prove_stack(&plan_decoder_zydis, &p->image, symbol->vaddr,
                         &resolver, p->scratch, NULL) == PLAN_STACK_LOCAL;
    if (p->asked == PROVED_MAX)
        return 1;
    p->is_local[p->asked++] = is_local;
    return 0;
}

static int patch_one(void *context, const struct plan_symbol *symbol)
{
    struct patcher *p = context;
    struct plan_patch patch;
    uint8_t *copy = p->island + ISLAND_BYTES;
    if (p->next == PROVED_MAX)
        return 1;
    bool is_local = p->is_local[p->next++];
    if (symbol->is_ifunc || symbol->size_bytes == 0)
        return 0;
    int rc = plan_entry_patch(&plan_decoder_zydis, &p->image, symbol->vaddr,
                              (uintptr_t)copy, p->scratch, &patch);
    if (rc < 0) {
        p->failed++;
        return 0;
    }
    /* Another name of a patched function: its entry is a jump already. */
    if (patch.verdict != PLAN_OK ||
        *(uint8_t *)(uintptr_t)patch.patch_at == 0xe9) {
        p->refused += patch.verdict != PLAN_OK;
        return 0;
    }
    write_island(p, &patch, copy, is_local);
    p->framed += is_local;
    p->patched++;
    p->island = copy + ((patch.copy_len + 15) & ~15u);
    return 0;
}

static uint8_t *near_memory(uint64_t high)
{
    for (uint64_t at = (high + (1 << 21)) & ~((1ull << 21) - 1);
         at < high + (1ull << 30); at += 1 << 21) {
        void *got = mmap(
            (void *)(uintptr_t)at, ROOM, PROT_READ | PROT_WRITE | PROT_EXEC,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (got != MAP_FAILED)
            return got;
    }
    return NULL;
}

static void add_symtab(struct patcher *p)
{
    struct stat st;
    int fd = open(p->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return;
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED ||
        plan_image_add_symtab(&p->image, bytes, (size_t)st.st_size, true) < 0)
        printf("no symbols but the dynamic ones\n");
}

static int patch_all(struct patcher *p)
{
    uint8_t *memory;
    dl_iterate_phdr(find_object, p);
    p->scratch = malloc(plan_scratch_bytes());
    if (!p->found || p->scratch == NULL ||
        (memory = near_memory(p->high)) == NULL ||
        mprotect((void *)(uintptr_t)p->low, p->high - p->low,
                 PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
        return -1;
    p->calls = (uint64_t *)(void *)memory;
    p->island = memory + 4096;
    add_symtab(p);
    (void)look_for_branches(&p->image); /* as long as we live */
    plan_image_each_function(&p->image, prove_one, p);
    plan_image_each_function(&p->image, patch_one, p);
    return 0;
}

/* ---- the work: a number that stands for its whole result
 * ----------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ b[i]) * 0x100000001b3ull;
    return hash;
}

typedef int compress_fn(uint8_t *, unsigned long *, const uint8_t *,
                        unsigned long, int);
typedef int uncompress_fn(uint8_t *, unsigned long *, const uint8_t *,
                          unsigned long);

static uint64_t work_libz(void *library)
{
    enum {
        TEXT = 200000
    };
    static uint8_t text[TEXT], packed[TEXT * 2], again[TEXT];
    compress_fn *compress2 = (compress_fn *)dlsym(library, "compress2");
    uncompress_fn *uncompress = (uncompress_fn *)dlsym(library, "uncompress");
    uint64_t hash = 0xcbf29ce484222325ull;
    for (uint32_t i = 0; i < TEXT; i++)
        text[i] = (uint8_t)((uint8_t) "abcdefghij"[i * i % 10] + i / 997 % 7);
    for (int level = 0; level <= 9; level++) {
        unsigned long len = sizeof packed, back = sizeof again;
        if (compress2(packed, &len, text, TEXT, level) != 0 ||
            uncompress(again, &back, packed, len) != 0 ||
            memcmp(text, again, TEXT) != 0)
            return 0;
        hash = mix(hash, packed, len);
    }
    return hash;
}

typedef int open_fn(const char *, void **);
typedef int exec_fn(void *, const char *,
                    int (*)(void *, int, char **, char **), void *, char **);
typedef int close_fn(void *);

static int take_row(void *context, int columns, char **values, char **names)
{
    uint64_t *hash = context;
    (void)names;
    for (int i = 0; i < columns; i++)
        if (values[i] != NULL)
            *hash = mix(*hash, values[i], strlen(values[i]) + 1);
    return 0;
}

static uint64_t work_libsqlite3(void *library)
{
    static const char *const script[] = {
        "create table t(id integer primary key, name text, v real)",
        "with recursive c(x) as (select 1 union all select x + 1 from c where "
        "x < 3000) insert into t select x, printf('n%05d', x * 7 % 1000), "
        "x * 1.5 from c",
        "create index i on t(name)",
        "select name, count(*), sum(v), avg(v) from t group by name having "
        "count(*) > 2 order by 3 desc, name",
        "select a.id, b.id from t a join t b on a.name = b.name and a.id < "
        "b.id order by 1, 2 limit 500",
        "select id, sum(v) over (order by id rows 5 preceding) from t",
        "update t set name = upper(name) || '%' where id % 3 = 0",
        "delete from t where name like '%9%'",
        "select group_concat(name, ',') from (select name from t order by id)",
        "select json_extract('{\"a\":[1,2,{\"b\":3}]}', '$.a[2].b')",
        "pragma integrity_check",
    };
    open_fn *open_db = (open_fn *)dlsym(library, "sqlite3_open");
    exec_fn *exec_db = (exec_fn *)dlsym(library, "sqlite3_exec");
    close_fn *close_db = (close_fn *)dlsym(library, "sqlite3_close");
    uint64_t hash = 0xcbf29ce484222325ull;
    void *db = NULL;
    if (open_db(":memory:", &db) != 0)
        return 0;
    for (size_t i = 0; i < sizeof script / sizeof *script; i++)
        if (exec_db(db, script[i], take_row, &hash, NULL) != 0)
            hash = 0;
    close_db(db);
    return hash;
}

int main(int argc, char **argv)
{
    bool is_zlib = argc > 1 && strcmp(argv[1], "libz") == 0;
    static struct patcher p;
    p = (struct patcher){.name = is_zlib ? "libz.so" : "libsqlite3.so"};
    void *library = dlopen(is_zlib ? "libz.so.1" : "libsqlite3.so.0", RTLD_NOW);
    if (library == NULL) {
        printf("%s: skipped\n", dlerror());
        return 77;
    }
    uint64_t (*work)(void *) = is_zlib ? work_libz : work_libsqlite3;
    uint64_t before = work(library);
    if (patch_all(&p) < 0) {
        printf("cannot patch\n");
        return 2;
    }
    uint64_t after = work(library), calls = *p.calls;
    printf("%d patched (%d with a frame), %d refused, %d out of reach, %llu "
           "calls; result %llx "
           "before, %llx after\n",
           p.patched, p.framed, p.refused, p.failed, (unsigned long long)calls,
           (unsigned long long)before, (unsigned long long)after);
    return before == 0 || before != after || p.failed > 0 || calls < 10 ||
           p.framed < 50;
}
