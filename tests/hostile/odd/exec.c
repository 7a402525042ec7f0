// SPDX-License-Identifier: Apache-2.0
/* Programs that are executed, from odd places and in odd ways. */
#include "odd.h"
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

extern char **environ;

static int run_child(char **argv, const char *path)
{
    char *const args[] = {argv[0], "child", NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(1);
        execv(path, args);
        _exit(9);
    }
    return status_of(pid);
}

/* The program itself, copied into `to`. */
static bool copy_self(int to)
{
    struct stat st;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    bool is_done = fstat(from, &st) == 0 &&
                   (bytes = malloc((size_t)st.st_size)) != NULL &&
                   read(from, bytes, (size_t)st.st_size) == st.st_size &&
                   write(to, bytes, (size_t)st.st_size) == st.st_size;
    close(from);
    free(bytes);
    return is_done;
}

static int from_memory(char **argv)
{
    int fd = memfd_create("x", MFD_CLOEXEC);
    char *const args[] = {argv[0], "child", NULL};
    if (!copy_self(fd))
        return CANNOT;
    work(1);
    fexecve(fd, args, environ);
    return 7;
}

static int by_descriptor(char **argv)
{
    int fd = open("/proc/self/exe", O_PATH);
    char *const args[] = {argv[0], "child", NULL}, *const none[] = {NULL};
    work(1);
    syscall(SYS_execveat, fd, "", args, none, AT_EMPTY_PATH);
    return 7;
}

static int vforks(char **argv)
{
    int sum = 0;
    for (int i = 0; i < 8; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            work(i);
            _exit(work(i) & 7);
        }
        sum += status_of(pid);
        pid = vfork();
        if (pid == 0) {
            work(2);
            execl("/proc/self/exe", argv[0], "child", "quiet", (char *)NULL);
            _exit(1);
        }
        sum += status_of(pid);
    }
    printf("%d %d\n", sum, work(1));
    return 0;
}

static int spawns(char **argv)
{
    posix_spawnattr_t at;
    posix_spawn_file_actions_t actions;
    char *const args[] = {argv[0], "child", NULL};
    sigset_t all;
    pid_t pid = 0;
    sigfillset(&all);
    posix_spawnattr_init(&at);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setflags(&at,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_RESETIDS);
    posix_spawnattr_setsigmask(&at, &all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawn_file_actions_addclose(&actions, 0);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    fflush(stdout);
    int got = posix_spawn(&pid, "/proc/self/exe", &actions, &at, args, environ);
    printf("%d %x\n", got, got ? 0 : (unsigned)status_of(pid));
    got = posix_spawn(&pid, "/nonexistent", NULL, NULL, args, environ);
    printf("%d\n", got);
    return 0;
}

static int clone_and_exec(void *path)
{
    char *const args[] = {path, "child", NULL};
    work(1);
    execv("/proc/self/exe", args);
    return 9;
}

/* What posix_spawn does, by hand. */
static int cloned_vfork(char **argv)
{
    static char room[65536];
    fflush(stdout);
    int pid = clone(clone_and_exec, room + sizeof(room),
                    CLONE_VM | CLONE_VFORK | SIGCHLD, argv[0]);
    printf("%x %d\n", (unsigned)status_of(pid), works(10));
    return 0;
}

static void *exec_now(void *argument)
{
    char *const args[] = {((char **)argument)[0], "child", NULL};
    work(1);
    execv("/proc/self/exe", args);
    return NULL;
}

static int from_thread(char **argv)
{
    pthread_t thread;
    pthread_create(&thread, NULL, exec_now, argv);
    for (;;)
        work(1);
}

static int once_more(char **argv, int (*change)(void))
{
    char *const args[] = {argv[0], argv[1], "plain", "again", NULL};
    if (change() == -1)
        return CANNOT;
    work(1);
    execv("/proc/self/exe", args);
    return 7;
}

static int no_random(void)
{
    return personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
}

static int same_place(char **argv)
{
    if (!argv[3])
        return once_more(argv, no_random);
    printf("%x %d\n", (unsigned)personality(0xffffffff), works(3));
    return 0;
}

static int no_new_text(void)
{
    return prctl(65, 1, 0, 0, 0); /* PR_SET_MDWE */
}

static int write_or_execute(char **argv)
{
    if (!argv[3])
        return once_more(argv, no_new_text);
    printf("%d %d\n", prctl(66, 0, 0, 0, 0), works(100));
    return 0;
}

/* ---- other roots and users ------------------------------------------------
 */

/* The program and what it needs, below `root`, as it is mapped here. */
static bool furnish(const char *root)
{
    char line[1024], path[512], command[3000];
    snprintf(command, sizeof(command),
             "exec 2>/dev/null; cp /proc/%d/exe %s/prog; mkdir -p %s/lib64;"
             "cp /lib64/ld-linux-x86-64.so.2 %s/lib64",
             getpid(), root, root, root);
    bool is_done = system(command) == 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%*s %*s %*s %*s %*s %511s", path) != 1 ||
            !strstr(path, ".so") || strstr(path, "handspan"))
            continue;
        snprintf(command, sizeof(command),
                 "mkdir -p %s$(dirname %s) && cp %s %s%s", root, path, path,
                 root, path);
        is_done &= system(command) == 0;
    }
    if (maps)
        fclose(maps);
    return is_done;
}

static void remove_folder(const char *folder)
{
    char command[300];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        puts("left");
}

static int other_root(char **argv)
{
    char folder[] = "rootXXXXXX";
    (void)argv;
    if (geteuid() != 0 || !mkdtemp(folder))
        return CANNOT;
    bool is_furnished = furnish(folder);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (chroot(folder) != 0 || chdir("/") != 0)
            _exit(8);
        work(1);
        execl("/prog", "prog", "child", (char *)NULL);
        _exit(9);
    }
    printf("%d %x\n", is_furnished, (unsigned)status_of(pid));
    remove_folder(folder);
    return 0;
}

static int enter_new_root(const char *folder)
{
    if (unshare(CLONE_NEWNS) != 0)
        return CANNOT;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mount("none", folder, "tmpfs", 0, NULL);
    if (!furnish(folder) || chdir(folder) != 0 || mkdir("old", 0700) != 0 ||
        syscall(SYS_pivot_root, ".", "old") != 0 || chdir("/") != 0)
        return 8;
    umount2("/old", MNT_DETACH);
    return 0;
}

static int pivoted_root(char **argv)
{
    char folder[] = "rootXXXXXX";
    (void)argv;
    if (geteuid() != 0 || !mkdtemp(folder))
        return CANNOT;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int failed = enter_new_root(folder);
        if (failed)
            _exit(failed);
        work(1);
        pid_t inner = fork();
        if (inner == 0)
            _exit(work(2));
        printf("%d\n", status_of(inner) >> 8);
        fflush(stdout);
        execl("/prog", "prog", "child", (char *)NULL);
        _exit(9);
    }
    printf("%x\n", (unsigned)status_of(pid));
    rmdir(folder);
    return 0;
}

/* A program that runs as another than who starts it (AT_SECURE). */
static int as_its_owner(char **argv)
{
    char file[] = "ownedXXXXXX";
    if (argv[3]) {
        printf("%lu %d %d\n", getauxval(AT_SECURE), geteuid(), works(10));
        return 4;
    }
    int fd = geteuid() == 0 ? mkostemp(file, O_CLOEXEC) : -1;
    if (fd < 0 || !copy_self(fd) || fchmod(fd, 04755) != 0)
        return CANNOT;
    close(fd);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char *const args[] = {argv[0], argv[1], "plain", "again", NULL};
        if (syscall(SYS_setresuid, 65534, 65534, 65534) != 0)
            _exit(CANNOT);
        work(1);
        execv(file, args);
        _exit(9);
    }
    printf("%x\n", (unsigned)status_of(pid));
    unlink(file);
    return 0;
}

/* ---- environments ----------------------------------------------------------
 */

static const char *const ours[] = {"LD_PRELOAD", "HANDSPAN", "TRACE",
                                   "BAGGAGE"};

static void remove_ours(void)
{
    for (int i = 0; environ[i];) {
        char name[100];
        bool is_ours = false;
        for (size_t k = 0; k < sizeof(ours) / sizeof(*ours); k++)
            is_ours |= strncmp(environ[i], ours[k], strlen(ours[k])) == 0;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="),
                 environ[i]);
        if (!is_ours || unsetenv(name) != 0)
            i++;
    }
}

/* The longest arguments that the kernel takes. */
static int longest(char **argv)
{
    enum {
        BLOCK = 100000,
        BLOCKS = 20
    };
    static char block[BLOCK + 1], tail[BLOCK + 1];
    char *args[BLOCKS + 3] = {"/bin/true"};
    struct rlimit limit = {8 << 20, RLIM_INFINITY};
    int found = 0;
    (void)argv;
    setrlimit(RLIMIT_STACK, &limit);
    remove_ours();
    memset(block, 'a', BLOCK);
    memset(tail, 'b', BLOCK);
    for (int i = 1; i <= BLOCKS; i++)
        args[i] = block;
    for (int step = 65536; step; step /= 2) {
        args[BLOCKS + 1] = tail + BLOCK - (found + step) % BLOCK;
        pid_t pid = fork();
        if (pid == 0) {
            work(1);
            execv(args[0], args);
            _exit(errno == E2BIG ? 2 : 3);
        }
        if (status_of(pid) == 0)
            found += step;
    }
    printf("%d\n", found);
    return 0;
}

static int no_environment(char **argv)
{
    char *const args[] = {argv[0], "child", NULL}, *const none[] = {NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(1);
        execve("/proc/self/exe", args, NULL);
        _exit(8);
    }
    printf("%x\n", (unsigned)status_of(pid));
    fflush(stdout);
    clearenv();
    work(1);
    execve("/proc/self/exe", args, none);
    return 8;
}

/* Many times in a row: its environment stays as it is. */
static int again_and_again(char **argv)
{
    char count[20];
    int left = argv[3] ? atoi(argv[3]) : 12;
    char *const args[] = {argv[0], argv[1], "plain", count, NULL};
    snprintf(count, sizeof(count), "%d", left - 1);
    work(left);
    if (left > 0) {
        execv("/proc/self/exe", args);
        return 7;
    }
    remove_ours();
    int names = 0;
    size_t bytes = 0;
    for (; environ[names]; names++)
        bytes += strlen(environ[names]);
    printf("%d %zu\n", names, bytes);
    return 0;
}

/* ---- other kinds of programs ------------------------------------------------
 */

static int beside_it(char **argv, const char *name)
{
    char path[4096];
    const char *slash = strrchr(argv[0], '/');
    snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - argv[0]), argv[0],
             name);
    if (access(path, X_OK) != 0)
        return CANNOT;
    int sum = run_child(argv, path);
    pid_t pid = 0;
    char *const args[] = {path, "child", NULL};
    if (posix_spawn(&pid, path, NULL, NULL, args, environ) == 0)
        sum += status_of(pid);
    printf("%x\n", (unsigned)sum);
    return 0;
}

static int static_child(char **argv)
{
    return beside_it(argv, "odd_static");
}

/* Of another libc, whose loader may not find ours. */
static int musl_child(char **argv)
{
    return beside_it(argv, "odd_musl");
}

static int script_child(char **argv)
{
    char file[] = "scriptXXXXXX";
    int fd = mkostemp(file, O_CLOEXEC);
    dprintf(fd, "#!/bin/sh\necho \"$#\" \"$1\"\nexit 6\n");
    fchmod(fd, 0755);
    close(fd);
    char path[64];
    snprintf(path, sizeof(path), "./%s", file);
    printf("%x\n", (unsigned)run_child(argv, path));
    unlink(file);
    return 0;
}

const struct way exec_ways[] = {
    {"from-memory", from_memory},
    {"by-descriptor", by_descriptor},
    {"vfork", vforks},
    {"spawn", spawns},
    {"cloned-vfork", cloned_vfork},
    {"exec-from-thread", from_thread},
    {"same-place", same_place},
    {"write-or-execute", write_or_execute},
    {"other-root", other_root},
    {"pivoted-root", pivoted_root},
    {"as-its-owner", as_its_owner},
    {"longest", longest},
    {"no-environment", no_environment},
    {"again-and-again", again_and_again},
    {"static-child", static_child},
    {"musl-child", musl_child},
    {"script-child", script_child},
    {NULL, NULL},
};
