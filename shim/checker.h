/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program under valgrind gets reports of its own faults and none of ours. We
 * copy memory that it never wrote (the stack of a failure, texts up to the end
 * of a page), and share lanes with a process that valgrind does not see: both
 * on purpose, and told to valgrind by its client requests, which are a few
 * instructions without effect elsewhere. Not with the compiler's sanitizers:
 * the preload is not built by them.
 *
 * Without valgrind's headers the preload is built without, and its tools
 * report.
 */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#if __has_include(<valgrind/drd.h>)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <valgrind/drd.h>
#include <valgrind/helgrind.h>
#include <valgrind/memcheck.h>
#pragma GCC diagnostic pop

/* valgrind runs this process, with this tool (another one would complain of
 * words that are not its own). Written once. [constructor] */
__attribute__((weak, visibility("hidden"))) bool checker_watches;
__attribute__((weak, visibility("hidden"))) enum checker_tool {
    CHECKER_OTHER,
    CHECKER_MEMCHECK,
    CHECKER_HELGRIND,
    CHECKER_DRD
} checker_tool;

/* By what valgrind has preloaded: .../vgpreload_TOOL-amd64-linux.so */
static inline bool checker_is_loaded(const struct link_map *objects,
                                     const char *name)
{
    for (; objects; objects = objects->l_next)
        for (const char *from = objects->l_name; from && *from; from++) {
            size_t same = 0;
            while (name[same] && from[same] == name[same])
                same++;
            if (!name[same])
                return true;
        }
    return false;
}

/* objects: the loader's list. */
static inline bool checker_start(const struct link_map *objects)
{
    checker_watches = RUNNING_ON_VALGRIND != 0;
    if (!checker_watches)
        return false;
    if (checker_is_loaded(objects, "/vgpreload_memcheck-"))
        checker_tool = CHECKER_MEMCHECK;
    else if (checker_is_loaded(objects, "/vgpreload_helgrind-"))
        checker_tool = CHECKER_HELGRIND;
    else if (checker_is_loaded(objects, "/vgpreload_drd-"))
        checker_tool = CHECKER_DRD;
    return true;
}

/* Does it judge what is read? One that counts instructions does not, and is to
 * count those that a program has without it. */
static inline bool checker_judges(void)
{
    return __builtin_expect(checker_tool != CHECKER_OTHER, false);
}

/* Between the two this thread has nothing reported. They nest. */
static inline void checker_be_quiet(void)
{
    if (__builtin_expect(checker_watches, false))
        VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void checker_go_on(void)
{
    if (__builtin_expect(checker_watches, false))
        VALGRIND_ENABLE_ERROR_REPORTING;
}

/* Ours: what stands there is as good as written. */
static inline void checker_is_written(const void *at, size_t len_bytes)
{
    if (__builtin_expect(checker_tool == CHECKER_MEMCHECK, false))
        (void)VALGRIND_MAKE_MEM_DEFINED(at, len_bytes);
}

/* Ours: threads take care of each other there. */
static inline void checker_is_shared(const void *at, size_t len_bytes)
{
    if (__builtin_expect(checker_tool == CHECKER_HELGRIND, false))
        VALGRIND_HG_DISABLE_CHECKING(at, len_bytes);
    if (__builtin_expect(checker_tool == CHECKER_DRD, false))
        VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_START_SUPPRESSION, at,
                                        len_bytes, 0, 0, 0);
}
#else
enum {
    checker_watches = 0
};
static inline bool checker_start(const struct link_map *objects)
{
    (void)objects;
    return false;
}
static inline bool checker_judges(void)
{
    return false;
}
static inline void checker_be_quiet(void)
{
}
static inline void checker_go_on(void)
{
}
static inline void checker_is_written(const void *at, size_t len_bytes)
{
    (void)at;
    (void)len_bytes;
}
static inline void checker_is_shared(const void *at, size_t len_bytes)
{
    (void)at;
    (void)len_bytes;
}
#endif
