/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and mapping a session file, and making its pages real before use.
 *
 * The writer's half (lane_session_create, lane_make_real, ...) runs in the
 * traced process: no malloc, no stdio, no lock. The reader's half is in
 * reader.h.
 */
#pragma once
#include <stdbool.h>
#include "lane/format/layout.h"

struct lane_config {
    uint32_t lane_count; /* 0: LANE_MAX */
    uint32_t unit_count; /* 0: LANE_UNIT_DEFAULT; budget */
    uint32_t policy, wait_us;
    uint32_t clock;
    uint8_t build_id[20];
    uint32_t mode;       /* file mode: 0600 or 0660 */
    uint64_t most_bytes; /* of the file and the mapping; 0: no limit */
};

/* A mapped session. Offsets were validated once against file_bytes; the
 * pointers below stay valid as long as the mapping. All of it is in memory of
 * our own: whoever may write the file changes no address and no bound here. */
struct lane_map {
    uint8_t *base;
    uint64_t len_bytes;
    struct lane_table table[LANE_TABLES];
    uint64_t counters_made;   /* pages: first << 32 | end */
    uint32_t clock;           /* enum lane_clock */
    uint32_t policy, wait_us; /* enum lane_policy */
    struct lane_session *session;
    struct lane_process *processes;
    struct lane_context *contexts;
    struct lane_site *sites;
    struct lane_item *items;
    struct lane_counter *counters;
    struct lane_module *modules;
    struct lane_anchor *anchors;
    char *strings;
    struct lane *lanes;
    uint8_t *units;
    struct lane_word *words; /* of a session that we made */
};

/*
 * What a thread addresses its lane by: in its own memory, so that no word of
 * the lane leads its stores anywhere else. Made by lane_take(), of the thread
 * that has the lane; all zero: of none.
 */
enum {
    LANE_WINDOW = 8, /* segments that it may write at once: the last, and what
                        signal handlers took ahead */
};
struct lane_window {
    uint64_t unit[LANE_WINDOW]; /* segment << LANE_SEGMENT_SHIFT | unit + 1 */
    uint32_t index;             /* of the lane */
};

/*
 * Create `name` in the directory `dir_fd` (O_EXCL, no symlink), map it whole,
 * fill the header in, make its page real. `ready` is still 0: the caller
 * stores 1 (release) when process 0 and context 0 are there. Nothing stays
 * open. Honours RLIMIT_FSIZE and RLIMIT_AS by a smaller budget, then -EFBIG or
 * -ENOMEM. 0 or -errno; on failure the file is gone. [target, at start]
 */
int lane_session_create(int dir_fd, const char *name,
                        const struct lane_config *config, struct lane_map *map)
    __attribute__((warn_unused_result));

/* Back [at, at + len) of the mapping with pages: MADV_POPULATE_WRITE, else
 * process_vm_writev to ourselves, which stores a zero in the first byte of
 * each page: only for memory that nobody uses yet. 0, -ENOSPC, -ENOMEM. One or
 * a few raw syscalls; errno is kept. [target, signal-safe] */
int lane_make_real(void *at, uint64_t len_bytes)
    __attribute__((warn_unused_result));
/* A filter may kill this process for any syscall from now on: what is not real
 * yet stays so, and calls without room are counted. [target, signal-safe] */
void lane_forbid_syscalls(void);

/* Take `count` entries of a table (atomic; `next` is its word in the header),
 * backed by pages. Index, or -ENOSPC. [target, any thread] */
int64_t lane_table_take(struct lane_map *map, enum lane_table_kind kind,
                        uint32_t *next, uint32_t count)
    __attribute__((warn_unused_result));
/* A site that counts calls has a page for its counter, or -ENOSPC. [target, any
 * thread] */
int lane_counter_make(struct lane_map *map, uint32_t site)
    __attribute__((warn_unused_result));
/* Take a place for a process: a new one, else one whose process is stored. Its
 * number (owner.h), or -ENOSPC. The entry is all zero but `generation`; the
 * caller fills it in and calls lane_process_ready(). [target, any thread,
 * signal-safe] */
int64_t lane_process_take(struct lane_map *map)
    __attribute__((warn_unused_result));
/* Its `state` is RUNS or ENDED from now on. */
void lane_process_ready(struct lane_map *map, uint32_t number,
                        enum lane_process_state state);
/* Put bytes into the string table. `out` = {0, 0} and -ENOSPC when full (the
 * loss is counted). [target, any thread] */
int lane_string_put(struct lane_map *map, const void *bytes, uint32_t len_bytes,
                    struct lane_string *out);
/* The boot of this machine; all 0: not known. */
void lane_boot_id(uint8_t out[16]);
/* Append an anchor (all clocks now). [signal-safe] */
void lane_anchor_put(struct lane_map *map, uint32_t process);

/* Append a word: `commit` is filled in. What finds no page is left out.
 * [signal-safe] */
void lane_word_put(struct lane_map *map, const struct lane_word *word);

/* Take a lane for the calling thread: a free one, one whose owner died with no
 * span open, else a fresh one. Its pages are real, `state` is TAKEN, `robust`
 * is zero (the caller arms it) and the log begins with a LANE_FRAME_THREAD
 * item of this thread; log position and counter go on from where they were;
 * `window` is made. NULL: none left or no memory; nothing is counted (the
 * caller adds to lost_threads once). [target, any thread, no lock,
 * signal-safe] */
struct lane *lane_take(struct lane_map *map, struct lane_window *window,
                       uint32_t tid, uint32_t pid, uint32_t process)
    __attribute__((warn_unused_result));
/* Give a lane back when its thread ends in an orderly way: no span is open and
 * the robust mutex is no longer held. Optional: a lane that is never released
 * is taken over once the kernel marked its robust word. [owner, signal-safe] */
void lane_release(struct lane *lane);
/* Give more room to the log: the next unit (ready queue, else a fresh one
 * under the budget, made real). 0, -ENOSPC. Own thread only; errno is kept.
 * [signal-safe] */
int lane_grow(struct lane_map *map, struct lane *lane,
              struct lane_window *window) __attribute__((warn_unused_result));
/* Now, in the ticks of this session. [signal-safe] */
uint64_t lane_now(const struct lane_map *map);
