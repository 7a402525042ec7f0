/* SPDX-License-Identifier: Apache-2.0 */
/* A launcher that no preload reaches: ends_static PROGRAM ARGUMENTS... */
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = -1;
    pid_t pid = argc > 1 ? fork() : -1;
    if (pid == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status)
                                                      : 126;
}
