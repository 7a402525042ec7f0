/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime linked into a test program: stubs for functions of the test, and
 * what their calls left in the lane. Plain C types: C++ tests include it too.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A real session in a directory that is gone again at once. `mode` is "F" or
 * "Z": what harness_stub() hands out. */
void harness_start(const char *mode);
bool harness_is_zero(void);
/* A stub of `function`. Aborts the test when sites run out. */
void *harness_stub(const char *name, void *function);
/* The same with stack arguments: Z in either mode. */
void *harness_stub_stack(const char *name, void *function);
/* The same with `flags` (enum site_flags) of its own. */
void *harness_stub_flags(const char *name, void *function, uint32_t flags);

struct harness_record {
    uint64_t t0, t1, span, parent, cpu_ns, capture;
    const char *name;
    uint32_t site, depth, context;
    uint32_t end;    /* enum lane_end */
    uint32_t status; /* the bits above it */
    uint32_t lane;
    char type[64]; /* of the error frame before it, "" none */
};
/* Next record of `lane`; false: none. Gives the space back to the lane. */
bool harness_next_of(uint32_t lane, struct harness_record *out);
/* Of the calling thread's lane. */
bool harness_next(struct harness_record *out);
/* The calling thread's lane; UINT32_MAX: none yet. */
uint32_t harness_lane(void);
uint32_t harness_lanes(void);               /* lanes ever used */
uint64_t harness_depth(void);               /* open spans of this thread */
uint64_t harness_opened(uint32_t lane);     /* spans opened in it so far */
uint64_t harness_counted(const char *name); /* calls that are counted only */
uint64_t harness_kept(void);                /* records beside the lanes' logs */
uint64_t harness_lost(void);                /* session->lost_calls */
uint32_t harness_processes(void);
uint64_t harness_process_ref(void); /* of this process's own span */
double harness_ns_per_tick(void);

/* New records of this thread, oldest first: "name depth end ", end being "" for
 * a return, ! exception, ~ longjmp, ^ cancel, ? else. */
const char *harness_text(void);
/* Compare that with `expected` and complain. */
void harness_expect(const char *step, const char *expected);
extern int harness_failures;
#define CHECK(c)                                                               \
    do {                                                                       \
        if (!(c)) {                                                            \
            harness_complain(__FILE__, __LINE__, #c);                          \
        }                                                                      \
    } while (0)
void harness_complain(const char *file, int line, const char *what);
/* "ok" or the number of failures; the exit status. */
int harness_end(void);

#ifdef __cplusplus
}
#endif
