/* SPDX-License-Identifier: Apache-2.0 */
/* Container ids in /proc's files as runtimes leave them, and where none is. */
#include "tools/sidecar/process/container.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HALF "0123456789abcdef0123456789abcdef"
#define ID   HALF HALF
#define OTHER                                                                  \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff"                                                                     \
    "ffff" HALF

static const struct {
    const char *what, *text, *want; /* NULL: none */
    bool is_mounts;
} cases[] = {
    {"docker, version 1", "9:name=systemd:/\n8:pids:/docker/" ID "\n", ID,
     false},
    {"systemd's scope", "0::/system.slice/docker-" ID ".scope\n", ID, false},
    {"kubernetes",
     "0::/kubepods.slice/kubepods-pod" HALF ".slice/cri-containerd-" ID
     ".scope\n",
     ID, false},
    {"a pod in a container", "0::/docker/" OTHER "/kubepods/pod1/" ID "\n", ID,
     false},
    {"on the machine", "0::/user.slice/user-0.slice/session-1.scope\n", NULL,
     false},
    {"a longer number", "0::/x/" ID "0\n", NULL, false},
    {"half of one", "4:memory:/job/" HALF "\n", NULL, false},
    {"inside", "0::/\n", NULL, false},
    {"what is mounted",
     "1 2 0:1 / / rw - overlay overlay rw\n3 1 8:1 "
     "/var/lib/docker/containers/" ID
     "/hostname /etc/hostname rw - ext4 /dev/sda rw\n",
     ID, true},
    {"another mount", "3 1 8:1 /blobs/" ID " /data rw - ext4 /dev/sda rw\n",
     NULL, true},
    {"nothing", "", NULL, true},
};

int main(void)
{
    int bad = 0;
    char id[CONTAINER_ID_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is = container_id_in(cases[i].text, cases[i].is_mounts, id);
        if (is != (cases[i].want != NULL) ||
            (is && strcmp(id, cases[i].want) != 0)) {
            printf("%s: got %s\n", cases[i].what, is ? id : "none");
            bad++;
        }
    }
    if (container_id(-1, id)) {
        printf("a process that there is not has one\n");
        bad++;
    }
    return bad != 0;
}
