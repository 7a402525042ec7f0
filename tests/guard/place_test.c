/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane/writer/place.c as an ordinary user has it: which directories count, that
 * another name is taken and found again, which files may be read. What needs a
 * second user is in directory_test.py.
 */
#define _GNU_SOURCE
#include "lane/writer/place.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/handspan-place-XXXXXX";
static char path[PATH_MAX];
static int bad;

#define CHECK(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);         \
            bad = 1;                                                           \
        }                                                                      \
    } while (0)

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void make_dir(const char *name, mode_t mode)
{
    CHECK(mkdir(at(name), 0700) == 0 || errno == EEXIST);
    CHECK(chmod(at(name), mode) == 0);
}

static int named(const char *name, bool make)
{
    struct lane_place place;
    int err = lane_place_named(at(name), (uint32_t)geteuid(), make, &place);
    if (place.fd >= 0)
        close(place.fd);
    return err;
}

static void test_named(void)
{
    struct lane_place place;
    uint32_t uid = (uint32_t)geteuid();
    mode_t old = umask(0777);
    CHECK(named("fresh", true) == 0); /* the umask takes nothing away */
    umask(old);
    struct stat st;
    CHECK(stat(at("fresh"), &st) == 0 && (st.st_mode & 07777) == 0700);
    CHECK(named("none", false) == 0 && access(at("none"), F_OK) != 0);
    static const mode_t open_modes[] = {0755, 0770, 0707, 0710, 0777, 02750};
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        make_dir("open", open_modes[i]);
        CHECK(named("open", true) == -EACCES);
    }
    make_dir("open", 02770);
    CHECK(lane_place_named(at("open"), uid, true, &place) == 0 &&
          place.file_mode == 0660);
    close(place.fd);
    CHECK(symlink("fresh", at("link")) == 0);
    CHECK(named("link", true) == -ENOTDIR || named("link", true) == -ELOOP);
    CHECK(lane_place_named("relative", uid, true, &place) == -EINVAL);
}

/* What the default is below `base`, as RUNTIME_DIR; its descriptor is closed.
 */
static int chosen(const char *base, bool make, struct lane_place *place)
{
    char runtime[PATH_MAX];
    snprintf(runtime, sizeof runtime, "%s", at(base));
    int err = lane_place_default(runtime, (uint32_t)geteuid(), make, place);
    if (place->fd >= 0)
        close(place->fd);
    return err;
}

static bool is_below(const struct lane_place *place, const char *base)
{
    size_t len = strlen(at(base));
    return strncmp(place->path, path, len) == 0 && place->path[len] == '/';
}

static void test_chosen(void)
{
    static struct lane_place first, again;
    make_dir("run", 0700);
    CHECK(chosen("run", false, &first) == 0 && first.fd == -1 &&
          strcmp(first.path, at("run/handspan")) == 0 &&
          access(path, F_OK) != 0);
    CHECK(chosen("run", true, &first) == 0 && first.refused_err == 0 &&
          strcmp(first.path, at("run/handspan")) == 0);
    /* others could take ours away there */
    make_dir("run", 0777);
    CHECK(chosen("run", false, &again) != 0 || !is_below(&again, "run"));
    CHECK(again.refused_err == -ENOTSUP);
    make_dir("run", 01777);
    CHECK(chosen("run", true, &again) == 0 &&
          strcmp(again.path, first.path) == 0);
}

/* A name that is not to be had: each kind. */
static void test_other_name(void)
{
    static struct lane_place first, again;
    char plain[PATH_MAX];
    make_dir("held", 0700);
    snprintf(plain, sizeof plain, "%s", at("held/handspan"));
    for (int kind = 0; kind < 4; kind++) {
        if (kind == 0)
            CHECK(mkdir(plain, 0750) == 0 && chmod(plain, 0750) == 0);
        if (kind == 1)
            CHECK(symlink(top, plain) == 0);
        if (kind == 2)
            CHECK(mkfifo(plain, 0600) == 0);
        if (kind == 3) /* what is a group's counts only if it was named */
            CHECK(mkdir(plain, 0700) == 0 && chmod(plain, 02770) == 0);
        CHECK(chosen("held", kind % 2, &first) == 0 &&
              strncmp(first.path, plain, strlen(plain)) == 0 &&
              first.path[strlen(plain)] == '.' &&
              strcmp(first.refused, plain) == 0 && first.refused_err != 0);
        CHECK(chosen("held", !(kind % 2), &again) == 0 &&
              strcmp(first.path, again.path) == 0);
        CHECK(rmdir(first.path) == 0);
        CHECK(remove(plain) == 0);
    }
}

/* Two that start at the same moment end in one directory, or each in one that
 * is there. */
static void test_at_once(void)
{
    static struct lane_place place;
    make_dir("held/handspan", 0755);
    for (int i = 0; i < 16; i++)
        if (fork() == 0)
            _exit(chosen("held", true, &place) != 0 ||
                  access(place.path, W_OK));
    int status;
    while (wait(&status) > 0)
        CHECK(status == 0);
    CHECK(chosen("held", true, &place) == 0);
}

static void write_file(const char *name, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && fchmod(fd, mode) == 0);
    close(fd);
}

static bool is_anybodys(const char *name)
{
    int fd = open(at(name), O_RDONLY | O_NONBLOCK);
    bool is = lane_place_is_anybodys(fd, path, (uint32_t)geteuid());
    close(fd);
    return is;
}

static void test_files(void)
{
    uint32_t uid = (uint32_t)geteuid();
    write_file("m", 0644);
    CHECK(!is_anybodys("m") && lane_place_is_ours(path, uid, uid));
    write_file("m", 0664);
    CHECK(!is_anybodys("m") && lane_place_is_ours(path, uid, uid));
    write_file("m", 0646);
    CHECK(is_anybodys("m") && !lane_place_is_ours(path, uid, uid));
    make_dir("public", 0777);
    write_file("public/m", 0644); /* anybody could put another there */
    CHECK(!lane_place_is_ours(at("public/m"), uid, uid));
    make_dir("public", 01777);
    CHECK(lane_place_is_ours(at("public/m"), uid, uid));
    CHECK(!lane_place_is_ours(at("nothing"), uid, uid));
}

int main(void)
{
    if (!mkdtemp(top))
        return 2;
    test_named();
    test_chosen();
    test_other_name();
    test_at_once();
    test_files();
    char command[sizeof top + 16];
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command) != 0 || bad;
}
