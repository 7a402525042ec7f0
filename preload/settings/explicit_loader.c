/* SPDX-License-Identifier: Apache-2.0 */
/* See explicit_loader.h: the file that the loader mapped for the executable
 * stands in /proc/self/maps. */
#include "preload/settings/explicit_loader.h"
#include "preload/settings/text.h"
#include "lane/format/assert.h"
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct reader {
    int fd;
    size_t at, len;
    char piece[2048];
};

/* The next character; -1: the end. */
static int next_char(struct reader *r)
{
    lane_assert(r->at <= r->len);
    if (r->at == r->len) {
        ssize_t got = read(r->fd, r->piece, sizeof(r->piece));
        r->at = 0;
        r->len = got > 0 ? (size_t)got : 0;
        lane_assert(r->len <= sizeof r->piece);
    }
    return r->at < r->len ? (unsigned char)r->piece[r->at++] : -1;
}

static bool read_line(struct reader *r, struct text *line)
{
    int c;
    line->len = 0;
    while ((c = next_char(r)) >= 0 && c != '\n') {
        char one = (char)c;
        text_put_bytes(line, &one, 1);
    }
    return c >= 0;
}

/* Hex digits up to `end`. */
static uint64_t take_hex(const char **at, char end)
{
    lane_assert(end != 0);
    uint64_t number = 0;
    for (; **at && **at != end; ++*at)
        number = number << 4 |
                 (uint64_t)(**at <= '9' ? **at - '0' : **at - 'a' + 10);
    *at += **at != '\0';
    return number;
}

/* "low-high perms offset device inode   path" */
static bool is_line_of(const char *line, uint64_t address, const char **path)
{
    uint64_t low = take_hex(&line, '-'), high = take_hex(&line, ' ');
    *path = strchr(line, '/');
    return address >= low && address < high && *path;
}

static int take_first(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    *(uint64_t *)context = (uint64_t)info->dlpi_phdr;
    return 1; /* the executable comes first */
}

bool explicit_loader_program(char *path, size_t cap_bytes)
{
    char bytes[PATH_MAX + 128];
    struct text line = {bytes, 0, sizeof(bytes)};
    struct text out = {path, 0, cap_bytes};
    struct reader reader = {.at = 0};
    const char *found = NULL;
    uint64_t headers = 0;
    if (getauxval(AT_BASE) != 0) /* the kernel mapped a loader as well */
        return false;
    dl_iterate_phdr(take_first, &headers);
    reader.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0)
        return false;
    while (!found && read_line(&reader, &line)) {
        if (!text_fits(&line) || !is_line_of(bytes, headers, &found))
            found = NULL;
    }
    close(reader.fd);
    if (found)
        text_put(&out, found);
    return found && text_fits(&out);
}
