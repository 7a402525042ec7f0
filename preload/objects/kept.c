/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/objects/kept.h"
#include "preload/objects/branches.h"
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
    KEPT_FILES = 1024, /* names there are: newer ones replace older */
    WORDS_MAX = 1 << 23,
    YOUNG_S = 2, /* a file may change again within its time stamp */
};
#define KEPT_MAGIC UINT64_C(0x32747065736e6168) /* "hanspt2" */

struct kept_head {
    struct kept_identity of;
    uint64_t words, sum; /* of what stands behind it */
};
_Static_assert(sizeof(struct kept_identity) % 8 == 0, "summed as words");

static uint64_t sum_of(const uint64_t *at, uint64_t count)
{
    uint64_t sum = count;
    for (uint64_t i = 0; i < count; i++)
        sum = ((sum << 7 | sum >> 57) ^ at[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum;
}

/* ---- of what -------------------------------------------------------------
 */

static bool put_build(struct kept_build *build, const struct plan_image *image)
{
    lane_assert(image->build_id_len <= sizeof(build->id));
    memcpy(build->id, image->build_id, image->build_id_len);
    build->len = image->build_id_len;
    return build->len > 0;
}

static bool put_writer(struct kept_build *build)
{
    for (uint32_t i = 0; i < modules.count; i++)
        if (modules.at[i].kind == MODULE_OWN && modules.at[i].is_usable)
            return put_build(build, &modules.at[i].image);
    return false;
}

static uint64_t sum_of_segments(const struct plan_image *image)
{
    uint64_t words[5 * PLAN_SEGMENT_MAX], count = 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct plan_segment *s = &image->segments[i];
        words[count++] = s->vaddr;
        words[count++] = s->memsz;
        words[count++] = s->filesz;
        words[count++] = s->offset;
        words[count++] = s->flags;
    }
    return sum_of(words, count);
}

bool kept_identify(const struct module *module, const struct stat *st,
                   enum kept_what what, struct kept_identity *out)
{
    lane_assert(module != NULL && st != NULL);
    memset(out, 0, sizeof(*out));
    out->magic = KEPT_MAGIC;
    out->what = what;
    out->size = (uint64_t)st->st_size;
    out->mtime_s = (uint64_t)st->st_mtim.tv_sec;
    out->mtime_ns = (uint64_t)st->st_mtim.tv_nsec;
    out->ctime_s = (uint64_t)st->st_ctim.tv_sec;
    out->ctime_ns = (uint64_t)st->st_ctim.tv_nsec;
    out->inode = st->st_ino;
    out->segments = sum_of_segments(&module->image);
    (void)put_build(&out->object, &module->image);
    return put_writer(&out->writer);
}

bool kept_identify_path(const struct module *module, enum kept_what what,
                        struct kept_identity *out)
{
    char whole[PATH_MAX];
    struct stat st;
    const char *path = module_file_path(module, whole, sizeof(whole));
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           kept_identify(module, &st, what, out);
}

/* ---- files --------------------------------------------------------------- */

/* DIR/branches-UID/abc; `folder` is how long the part before the last slash
 * is. There are two names for each, so that few have to share one. */
static bool name_kept(const struct kept_identity *of, unsigned turn,
                      struct text *out, size_t *folder)
{
    uint64_t slot =
        sum_of((const uint64_t *)of, sizeof(*of) / 8) >> (turn == 0 ? 32 : 16);
    text_put(out, config.dir);
    text_put(out, "/branches-");
    text_put_number(out, config.uid);
    *folder = out->len;
    text_put(out, "/");
    text_put_hex(out, slot % KEPT_FILES, 3);
    return text_fits(out);
}

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

/* Copied: a file that shrinks meanwhile must not fault. */
static uint64_t *load_open(int fd, const struct kept_identity *of,
                           uint64_t *words, size_t *mapped_bytes)
{
    struct kept_head head;
    struct stat st;
    if (fstat(fd, &st) != 0 || !is_ours(&st, S_IFREG) ||
        pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(&head.of, of, sizeof(*of)) != 0 || head.words > WORDS_MAX)
        return NULL;
    size_t len = head.words * sizeof(uint64_t), mapped = len + PAGE;
    if ((uint64_t)st.st_size != sizeof(head) + len)
        return NULL;
    uint64_t *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (pread(fd, at, len, sizeof(head)) != (ssize_t)len ||
        head.sum != sum_of(at, head.words)) {
        munmap(at, mapped);
        return NULL;
    }
    *words = head.words;
    *mapped_bytes = mapped;
    return at;
}

static uint64_t *load_turn(const struct kept_identity *of, unsigned turn,
                           uint64_t *words, size_t *mapped_bytes)
{
    char path[PATH_MAX];
    struct text name = {path, 0, sizeof(path)};
    size_t folder;
    uint64_t *at = NULL;
    lane_assert(turn < 2 && words != NULL && mapped_bytes != NULL);
    if (!name_kept(of, turn, &name, &folder))
        return NULL;
    path[folder] = '\0';
    int dir = open_folder(path, false);
    int fd = dir < 0 ? -1
                     : openat(dir, path + folder + 1,
                              O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd >= 0) {
        at = load_open(fd, of, words, mapped_bytes);
        close(fd);
    }
    if (dir >= 0)
        close(dir);
    return at;
}

uint64_t *kept_load(const struct kept_identity *of, uint64_t *words,
                    size_t *mapped_bytes)
{
    uint64_t *at = load_turn(of, 0, words, mapped_bytes);
    return at ? at : load_turn(of, 1, words, mapped_bytes);
}

/* A file that changed just now may change again and look the same. */
static bool is_young(const struct kept_identity *of)
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
    size_t len = head->words * sizeof(*at);
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

/* Is the name free, or that of an older file of the same? */
static bool may_take(int dir, const char *name, const struct kept_identity *of)
{
    struct kept_identity now;
    lane_assert(dir >= 0 && name != NULL);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return true;
    bool is_same = pread(fd, &now, sizeof(now), 0) == (ssize_t)sizeof(now) &&
                   memcmp(&now, of, sizeof(now)) == 0;
    close(fd);
    return is_same;
}

void kept_store(const struct kept_identity *of, const uint64_t *at,
                uint64_t words)
{
    char path[2][PATH_MAX];
    size_t folder[2] = {0, 0};
    lane_assert(of->magic == KEPT_MAGIC && words <= WORDS_MAX);
    for (unsigned turn = 0; turn < 2; turn++) {
        struct text name = {path[turn], 0, sizeof(path[turn])};
        if (!name_kept(of, turn, &name, &folder[turn]))
            return;
        path[turn][folder[turn]] = '\0';
    }
    if (is_young(of) || !may_write(sizeof(struct kept_head) + words * 8))
        return;
    struct kept_head head = {*of, words, sum_of(at, words)};
    int dir = open_folder(path[0], true);
    if (dir < 0)
        return;
    const char *one = path[0] + folder[0] + 1, *other = path[1] + folder[1] + 1;
    bool is_other = !may_take(dir, one, of) && may_take(dir, other, of);
    store_in(dir, is_other ? other : one, &head, at);
    close(dir);
}

void kept_store_mapped(struct module *module, const struct kept_identity *of,
                       const uint64_t *at, uint64_t words)
{
    struct kept_identity now;
    struct plan_image file;
    lane_assert(module != NULL && of->magic == KEPT_MAGIC);
    if (!module_take_file(module, &file) ||
        !kept_identify(module, &module->text_stat, (enum kept_what)of->what,
                       &now))
        return;
    memcpy(now.extra, of->extra, sizeof(now.extra));
    if (memcmp(&now, of, sizeof(now)) == 0)
        kept_store(of, at, words);
}
