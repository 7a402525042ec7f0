/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program in a place where no sidecar may be started:
 *   below subreaper PROGRAM   a subreaper
 *   below seccomp PROGRAM     under a filter that allows everything
 *   below child PROGRAM       a child of a traced subreaper
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void filter(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        exit(90);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "seccomp") == 0) {
        filter();
        setenv("LD_PRELOAD", getenv("BIND_PRELOAD"), 1);
    } else if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return 91;
    }
    if (strcmp(argv[1], "child") != 0) {
        execl(argv[2], argv[2], NULL);
        return 92;
    }
    setenv("HANDSPAN_SIDECAR", getenv("BIND_SIDECAR"), 1);
    pid_t pid = fork();
    if (pid == 0) {
        execl(argv[2], argv[2], NULL);
        _exit(93);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    return status != 0;
}
