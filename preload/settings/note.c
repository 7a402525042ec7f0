/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the start has to say. Never to stderr by itself: that is the
 * pipeline's. The lines stand in the session (handspan shows them with the
 * trace) and are appended to the file "log" of the directory, or to the one
 * that HANDSPAN_LOG names ("stderr" for a terminal).
 */
#include "preload/settings/config.h"
#include "lane/format/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NOTE_BYTES = 8192,
    LOG_MAX_BYTES = 1 << 20,
    PUBLISH_MAX = 16
};

static char bytes[NOTE_BYTES];
static struct text notes = {bytes, 0, NOTE_BYTES};
static size_t logged;    /* bytes that stand in the log */
static size_t published; /* bytes that stand in the session */
static unsigned publish_count;

static void note(const char *topic, const char *const parts[3], bool lines)
{
    text_put(&notes, topic);
    text_put(&notes, ":");
    for (size_t i = 0; i < 3 && parts[i]; i++) {
        text_put(&notes, " ");
        text_put_shown(&notes, parts[i], lines);
    }
    text_put(&notes, "\n");
    if (!text_fits(&notes))
        notes.bytes[notes.len - 1] = '\n';
}

void note_lines(const char *topic, const char *a, const char *b, const char *c)
{
    note(topic, (const char *const[]){a, b, c}, false);
}

/* Of one text the newlines are ours: a message shows the line it is about. */
void note_line(const char *topic, const char *text)
{
    note(topic, (const char *const[]){text, NULL, NULL}, true);
}

size_t note_mark(void)
{
    return notes.len;
}

void note_rewind(size_t mark)
{
    lane_assert(logged <= notes.len && published <= notes.len);
    if (mark <= notes.len && mark >= logged && mark >= published)
        notes.len = mark;
}

static int open_log(void)
{
    const char *told = config_get("HANDSPAN_LOG");
    if (told && strcmp(told, "stderr") == 0)
        return fcntl(2, F_DUPFD_CLOEXEC, 3);
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
                O_NONBLOCK | O_NOCTTY;
    if (told) {
        int named = open(told, flags, 0600);
        if (named >= 0)
            return named;
        note_lines("context", "HANDSPAN_LOG cannot be opened:", told, NULL);
    }
    if (config.dir_fd < 0)
        return -1;
    /* in a directory of a group another may have put something there */
    struct stat st;
    int fd = openat(config.dir_fd, "log", flags, config.file_mode);
    if (fd < 0 ||
        (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1))
        return fd;
    close(fd);
    return -1;
}

/* Writing past RLIMIT_FSIZE would raise SIGXFSZ. */
static bool has_room(int fd, size_t len)
{
    lane_assert(fd >= 0 && len != 0);
    struct stat st;
    struct rlimit limit;
    if (fstat(fd, &st) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return false;
    if (!S_ISREG(st.st_mode))
        return true;
    uint64_t end = (uint64_t)st.st_size + len;
    return end < LOG_MAX_BYTES &&
           (limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur);
}

/* One write: lines of processes that start together do not mix. */
void note_log(void)
{
    char out[NOTE_BYTES + 128];
    struct text text = {out, 0, sizeof(out)};
    if (notes.len == logged)
        return;
    int fd = open_log();
    if (fd < 0)
        return;
    text_put(&text, "handspan ");
    text_put_number(&text, (uint64_t)getpid());
    text_put(&text, " ");
    text_put_shown(&text, config.program ? config.program : "?", false);
    text_put(&text, "\n");
    lane_assert(logged < notes.len);
    text_put_bytes(&text, notes.bytes + logged, notes.len - logged);
    if (has_room(fd, text.len)) {
        ssize_t ignored = write(fd, out, text.len);
        (void)ignored;
        logged = notes.len;
    }
    close(fd);
}

/* The string table only grows, so each publishing costs the whole text: few
 * are allowed. The reader sees (string, length) change one after the other;
 * the length is stored last and both texts are prefixes of the same bytes. */
void note_publish(void)
{
    struct lane_session *session = runtime.map.session;
    struct lane_string string;
    if (!session || notes.len == published || publish_count >= PUBLISH_MAX)
        return;
    publish_count++;
    lane_assert(publish_count <= PUBLISH_MAX);
    if (lane_string_put(&runtime.map, notes.bytes, (uint32_t)notes.len,
                        &string) != 0)
        return;
    published = notes.len;
    __atomic_store_n(&session->note_string, string.offset, __ATOMIC_RELAXED);
    /* release; pairs with lane_reader_refresh() */
    __atomic_store_n(&session->note_bytes, string.len_bytes, __ATOMIC_RELEASE);
}
