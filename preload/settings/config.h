/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process was told: environment, directory, program; and the notes
 * of the start, which go to the session and to the log file of the directory
 * because a pipeline's stderr belongs to the pipeline. docs/preload.md lists
 * the variables.
 */
#pragma once
#include <limits.h>
#include "preload/settings/text.h"

struct config {
    char **env;
    char exe[PATH_MAX];     /* /proc/self/exe; empty if unreadable */
    bool is_by_loader;      /* ld.so PROGRAM: exe is PROGRAM's */
    char started[PATH_MAX]; /* as it was exec'ed */
    const char *program;    /* basename that declarations are judged by */
    char self[PATH_MAX];    /* this shared object */
    char dir[PATH_MAX];     /* absolute */
    int dir_fd;             /* open during the start only, else -1 */
    uint32_t file_mode;     /* 0600, or 0660 in a directory shared by group */
    uint32_t uid;
    uint64_t start_time; /* field 22 of /proc/self/stat */
    uint32_t parent_pid;
    bool is_seccomp;    /* some filter holds */
    uint32_t match_max; /* HANDSPAN_MATCH_MAX: sites of one declaration */
    enum manifest_capture capture_max; /* HANDSPAN_CAPTURE */
    const char *withheld; /* why command line, stderr, texts of errors are not
                             kept: "secret(x), FILE:LINE"; NULL: they are */
    uint8_t force_shim;   /* HANDSPAN_TEST_SHIM: enum lane_shim, else 0 */
};
extern HIDDEN struct config config;

/* A variable of the environment as the kernel handed it over; NULL if unset
 * or empty. */
HIDDEN const char *config_get(const char *name);
/* A variable that is a number from `least` to `most`; `otherwise` if it is not
 * set, or is none of them, which is noted. */
HIDDEN uint32_t config_number(const char *name, uint32_t otherwise,
                              uint32_t least, uint32_t most);
/* HANDSPAN_DISABLED, AT_SECURE: true if nothing at all is to be done. */
HIDDEN bool config_is_disabled(void);
/* Fill the struct in. 0; -errno: without directory nothing can be done. */
HIDDEN int config_read(void) __attribute__((warn_unused_result));
/* Find, make and check the directory (lane/writer/place.h says which counts);
 * leaves config.dir_fd open. */
HIDDEN int config_open_dir(void) __attribute__((warn_unused_result));
/* Decide config.withheld and error_is_discreet, before the session is made. */
HIDDEN void config_decide_discreet(const struct manifest *manifest,
                                   uint32_t error_count);
/* A file that we look for beside ourselves: no less to be trusted than this
 * object is. */
HIDDEN bool config_is_our_file(const char *path);
/* `handspan off`: a file "off" in the directory. */
HIDDEN bool config_is_off(void);

/* A whole small file into buf, with NUL. Its length, or -errno; -E2BIG if it
 * does not fit. */
HIDDEN long config_read_file(const char *path, char *buf, size_t cap);
/* Number behind `name` in the text of a /proc status file; false: not there. */
HIDDEN bool config_status_number(const char *status, const char *name,
                                 uint64_t *number);

/* ---- notes ------------------------------------------------------------ */

/* One line, "topic: text"; ends up in the session and in the log. */
HIDDEN void note_line(const char *topic, const char *text);
/* The same put together: "topic: a b c"; NULLs end it. */
HIDDEN void note_lines(const char *topic, const char *a, const char *b,
                       const char *c);
/* Where the next line will stand; and back to there. */
HIDDEN size_t note_mark(void);
HIDDEN void note_rewind(size_t mark);
/* Publish what was noted since the last time. */
HIDDEN void note_publish(void);
/* Into the log although there is no session (nowhere else to say it). */
HIDDEN void note_log(void);
