/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See container.h. In cgroup version 1, and in version 2 seen from outside,
 * the path of the group ends with the id ("/docker/ID", "docker-ID.scope",
 * "cri-containerd-ID.scope"). From inside of a namespace of groups that is "/":
 * then the file that the runtime mounts as /etc/hostname lies in a folder of
 * that name.
 */
#define _GNU_SOURCE
#include "tools/sidecar/process/container.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane/format/assert.h"

enum {
    ID_DIGITS = CONTAINER_ID_BYTES - 1
};

/* The last run of exactly 64 hex digits of a line. */
static bool last_id(const char *line, size_t len, char *out)
{
    bool found = false;
    for (size_t at = 0; at < len;) {
        size_t run = strspn(line + at, "0123456789abcdef");
        if (run == ID_DIGITS && at + run <= len) {
            memcpy(out, line + at, run);
            out[run] = 0;
            lane_assert(run < CONTAINER_ID_BYTES);
            found = true;
        }
        at += run + 1;
    }
    return found;
}

static bool is_of_runtime(const char *line, size_t len)
{
    static const char *const where[] = {"/etc/hostname ", "/etc/hosts ",
                                        "/etc/resolv.conf "};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++)
        if (memmem(line, len, where[i], strlen(where[i])))
            return true;
    return false;
}

bool container_id_in(const char *text, bool is_mounts,
                     char out[CONTAINER_ID_BYTES])
{
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        if ((!is_mounts || is_of_runtime(line, len)) && last_id(line, len, out))
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}

static bool look_in(int32_t pid, const char *file, bool is_mounts, char *out)
{
    char path[64], *line = NULL;
    size_t cap_bytes = 0;
    bool found = false;
    lane_assert(file != NULL && out != NULL);
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *in = fopen(path, "re");
    while (in && !found && getline(&line, &cap_bytes, in) > 0)
        found = container_id_in(line, is_mounts, out);
    free(line);
    if (in)
        fclose(in);
    return found;
}

bool container_id(int32_t pid, char out[CONTAINER_ID_BYTES])
{
    return look_in(pid, "cgroup", false, out) ||
           look_in(pid, "mountinfo", true, out);
}
