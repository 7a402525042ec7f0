/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/objects/branches.h"
#include "preload/call/record/sandbox.h"
#include "lane/format/assert.h"
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    LARGE_BITMAP = 4 << 20,  /* is touched everywhere, and but once */
    KEPT_CODE_MIN = 1 << 20, /* smaller code is looked at in less than 0.3 ms */
    KEPT_FILES = 1024,       /* names there are: newer ones replace older */
    YOUNG_S = 2,             /* a file may change again within its time stamp */
};
#define KEPT_MAGIC UINT64_C(0x3168636e61726268) /* "hbranch1" */

struct build {
    uint8_t id[PLAN_BUILD_ID_MAX];
    uint64_t len;
};
/* Of which object, and by whom: compared as bytes. */
struct identity {
    uint64_t magic;
    struct build writer, object;
    uint64_t size, mtime_s, mtime_ns, ctime_s, ctime_ns, inode;
    uint64_t low, place_low;
};
struct kept_head {
    struct identity of;
    uint32_t count, is_cut, with_symtab, zero;
    uint64_t sum; /* of the entries behind it */
};

static uint64_t sum_of(const uint64_t *at, uint64_t count)
{
    uint64_t sum = count;
    for (uint64_t i = 0; i < count; i++)
        sum = ((sum << 7 | sum >> 57) ^ at[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum;
}

/* ---- what is looked at --------------------------------------------------- */

static bool is_same_segment(const struct plan_segment *a,
                            const struct plan_segment *b)
{
    return a->vaddr == b->vaddr && a->memsz == b->memsz &&
           a->filesz == b->filesz && a->offset == b->offset &&
           a->flags == b->flags;
}

/* Its code as the file has it, whatever was done to it in memory; not where
 * the loader itself writes into it. */
static bool take_file(struct module *module, struct plan_image *file)
{
    const struct plan_image *image = &module->image;
    const char *why;
    uint64_t code = 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        uint32_t flags = image->segments[i].flags;
        if ((flags & PF_X) && (flags & PF_W))
            return false;
        code += flags & PF_X ? image->segments[i].memsz : 0;
    }
    if (code < KEPT_CODE_MIN || image->has_text_relocations)
        return false;
    module_open_text(module);
    if (!module->text_file ||
        plan_image_file(file, module->text_file, module->text_file_bytes,
                        &why) != 0 ||
        file->segment_count != image->segment_count)
        return false;
    for (uint32_t i = 0; i < image->segment_count; i++)
        if (!is_same_segment(&image->segments[i], &file->segments[i]))
            return false;
    return true;
}

static void take(struct module *module, void *at, size_t bytes,
                 struct plan_branches found)
{
    module_drop_branches(module);
    module->branches = at;
    module->branches_bytes = bytes;
    module->image.branches = found;
    module->image.branches.at = at;
}

static bool look(struct module *module, struct plan_image *image)
{
    size_t len = plan_image_branches_bytes(image);
    void *at = len == 0
                   ? MAP_FAILED
                   : mmap(NULL, len, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    if (len >= LARGE_BITMAP)
        (void)madvise(at, len, MADV_HUGEPAGE);
    size_t used = plan_image_find_branches(image, at);
    used = (used + PAGE) & ~(size_t)(PAGE - 1);
    if (used < len)
        munmap((char *)at + used, len - used);
    take(module, at, used < len ? used : len, image->branches);
    return true;
}

void module_drop_branches(struct module *module)
{
    if (module->branches && !sandboxed)
        munmap(module->branches, module->branches_bytes);
    module->branches = NULL;
    module->image.branches = (struct plan_branches){0};
}

/* ---- what was kept ------------------------------------------------------- */

static bool put_build(struct build *build, const struct plan_image *image)
{
    lane_assert(image->build_id_len <= sizeof(build->id));
    memcpy(build->id, image->build_id, image->build_id_len);
    build->len = image->build_id_len;
    return build->len > 0;
}

static bool put_writer(struct build *build)
{
    for (uint32_t i = 0; i < modules.count; i++)
        if (modules.at[i].kind == MODULE_OWN && modules.at[i].is_usable)
            return put_build(build, &modules.at[i].image);
    return false;
}

static bool identify(const struct module *module, const struct plan_image *file,
                     struct identity *out)
{
    const struct stat *st = &module->text_stat;
    uint64_t low = UINT64_MAX, place_low = UINT64_MAX;
    for (uint32_t i = 0; i < file->segment_count; i++) {
        const struct plan_segment *s = &file->segments[i];
        place_low = s->vaddr < place_low ? s->vaddr : place_low;
        low = (s->flags & PF_X) && s->vaddr < low ? s->vaddr : low;
    }
    memset(out, 0, sizeof(*out));
    out->magic = KEPT_MAGIC;
    out->size = (uint64_t)st->st_size;
    out->mtime_s = (uint64_t)st->st_mtim.tv_sec;
    out->mtime_ns = (uint64_t)st->st_mtim.tv_nsec;
    out->ctime_s = (uint64_t)st->st_ctim.tv_sec;
    out->ctime_ns = (uint64_t)st->st_ctim.tv_nsec;
    out->inode = st->st_ino;
    out->low = low;
    out->place_low = place_low;
    (void)put_build(&out->object, file);
    return put_writer(&out->writer);
}

/* DIR/branches-UID/abc; `folder` is how long the part before the last slash
 * is. */
static bool name_kept(const struct identity *of, struct text *out,
                      size_t *folder)
{
    uint64_t slot = sum_of((const uint64_t *)of, sizeof(*of) / 8);
    text_put(out, config.dir);
    text_put(out, "/branches-");
    text_put_number(out, config.uid);
    *folder = out->len;
    text_put(out, "/");
    text_put_hex(out, (slot >> 32) % KEPT_FILES, 3);
    return text_fits(out);
}
_Static_assert(sizeof(struct identity) % 8 == 0, "summed as words");

static bool is_ours(const struct stat *st, mode_t type)
{
    return (st->st_mode & S_IFMT) == type && st->st_uid == config.uid &&
           (st->st_mode & 077) == 0;
}

/* The folder, open; `make`: it may be made. -1: it is not ours alone. */
static int open_folder(const char *path, bool make)
{
    struct stat st;
    if (make)
        (void)mkdir(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st, S_IFDIR))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Entries are in order; where they lead is looked at whenever they are used. */
static bool is_whole(const struct kept_head *head, const uint64_t *at,
                     const struct identity *of)
{
    if (memcmp(&head->of, of, sizeof(*of)) != 0 ||
        head->sum != sum_of(at, head->count) || head->is_cut > 1 ||
        head->with_symtab > 1)
        return false;
    for (uint32_t i = 1; i < head->count; i++)
        if (at[i] < at[i - 1])
            return false;
    return true;
}

/* Copied: a file that shrinks meanwhile must not fault. */
static bool load_open(struct module *module, int fd, const struct identity *of)
{
    struct kept_head head;
    struct stat st;
    if (fstat(fd, &st) != 0 || !is_ours(&st, S_IFREG) ||
        pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
        return false;
    size_t len = head.count * sizeof(uint64_t), mapped = len + PAGE;
    if ((uint64_t)st.st_size != sizeof(head) + len)
        return false;
    uint64_t *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    if (pread(fd, at, len, sizeof(head)) != (ssize_t)len ||
        !is_whole(&head, at, of)) {
        munmap(at, mapped);
        return false;
    }
    struct plan_branches found = {.low = of->low,
                                  .place_low = of->place_low,
                                  .count = head.count,
                                  .is_known = true,
                                  .is_cut = head.is_cut,
                                  .with_symtab = head.with_symtab};
    take(module, at, mapped, found);
    return true;
}

static bool load(struct module *module, const struct identity *of)
{
    char path[PATH_MAX];
    struct text name = {path, 0, sizeof(path)};
    size_t folder;
    bool is_loaded = false;
    if (!name_kept(of, &name, &folder))
        return false;
    path[folder] = '\0';
    int dir = open_folder(path, false);
    int fd = dir < 0 ? -1
                     : openat(dir, path + folder + 1,
                              O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd >= 0) {
        is_loaded = load_open(module, fd, of);
        close(fd);
    }
    if (dir >= 0)
        close(dir);
    return is_loaded;
}

/* ---- keeping --------------------------------------------------------------
 */

/* A file that changed just now may change again and look the same. */
static bool is_young(const struct identity *of)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return true;
    return (uint64_t)now.tv_sec < of->ctime_s + YOUNG_S ||
           (uint64_t)now.tv_sec < of->mtime_s + YOUNG_S;
}

/* Writing past RLIMIT_FSIZE would raise SIGXFSZ. */
static bool may_write(size_t len)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= len);
}

/* Without a name until it is whole: nothing is left of who dies on the way. */
static void store_in(int dir, const char *name, const struct kept_head *head,
                     const uint64_t *at)
{
    char self[32];
    struct text link = {self, 0, sizeof(self)};
    size_t len = head->count * sizeof(*at);
    int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    text_put(&link, "/proc/self/fd/");
    text_put_number(&link, (uint64_t)fd);
    if (write(fd, head, sizeof(*head)) == (ssize_t)sizeof(*head) &&
        write(fd, at, len) == (ssize_t)len) {
        (void)unlinkat(dir, name, 0);
        (void)syscall(SYS_linkat, AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
    }
    close(fd);
}

static void store(const struct module *module, const struct identity *of)
{
    const struct plan_branches *found = &module->image.branches;
    struct kept_head head = {*of,
                             found->count,
                             found->is_cut,
                             found->with_symtab,
                             0,
                             sum_of(found->at, found->count)};
    char path[PATH_MAX];
    struct text name = {path, 0, sizeof(path)};
    size_t folder;
    lane_assert(found->is_known && found->low == of->low);
    if (is_young(of) || !may_write(sizeof(head) + found->count * 8) ||
        !name_kept(of, &name, &folder))
        return;
    path[folder] = '\0';
    int dir = open_folder(path, true);
    if (dir < 0)
        return;
    store_in(dir, path + folder + 1, &head, found->at);
    close(dir);
}

/* ---- all of it ------------------------------------------------------------
 */

void module_find_branches(struct module *module, uint64_t vaddr)
{
    struct plan_image file;
    struct identity of;
    struct plan_image *image = &module->image;
    lane_assert(module != NULL);
    if (plan_image_branches_bytes(image) == 0 ||
        plan_image_has_branches(image, vaddr))
        return;
    if (!image->branches.is_known && take_file(module, &file)) {
        bool is_known = identify(module, &file, &of);
        if ((!is_known || !load(module, &of)) && look(module, &file) &&
            is_known)
            store(module, &of);
    }
    /* of a separate debug file, or not as its file has it */
    if (!plan_image_has_branches(image, vaddr))
        (void)look(module, image);
}
