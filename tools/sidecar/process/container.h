/* SPDX-License-Identifier: Apache-2.0 */
/* In which container is a process? As the semantic conventions of OpenTelemetry
 * have it: the runtime's own id, 64 hex digits (Docker, containerd, CRI-O,
 * Podman). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    CONTAINER_ID_BYTES = 65
};
/* From the process's control groups, else from what is mounted there. False:
 * in none, or one cannot know. `pid` as we see it; it must be alive. */
bool container_id(int32_t pid, char out[CONTAINER_ID_BYTES]);
/* The same of a text of /proc/PID/cgroup or mountinfo. */
bool container_id_in(const char *text, bool is_mounts,
                     char out[CONTAINER_ID_BYTES]);
