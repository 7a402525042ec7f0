/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of planning an entry patch. Each looks at one reason to refuse.
 * Private to shim/plan.
 */
#pragma once
#include "shim/plan/decode/decode.h"

enum {
    ENDBR_BYTES = 4,
    PATCH_WINDOW_MAX = 23,  /* an endbr64 and 19 displaced bytes */
    PATCH_PARTS_MAX = 16,   /* of a function, that are looked at */
    FLOW_BYTES_MAX = 65536, /* how far the register check looks */
    FLOW_PENDING_MAX = 512,
};

struct patch_scratch {
    uint8_t seen[FLOW_BYTES_MAX];
    struct {
        uint64_t pc;
        uint8_t saved;
    } pending[FLOW_PENDING_MAX];
};

struct patch_region {
    uint64_t low, high;
    uint64_t from; /* a part: where the jump to it is; 0: a landing pad */
    uint32_t of;   /* ... and the part that this one was found from */
};

struct patch_job {
    struct plan_reader reader;
    struct patch_scratch *scratch;
    uint64_t vaddr, end;  /* of the function */
    uint64_t limit;       /* up to here padding may be overwritten */
    uint64_t patch_vaddr; /* vaddr, or behind endbr64 */
    uint64_t displaced_end;
    uint64_t place; /* of what stands against the patch, 0: none */
    struct patch_region parts[PATCH_PARTS_MAX]; /* the first is the function */
    uint32_t part_count;
    uint32_t part;      /* that is looked at */
    uint64_t own_label; /* where it takes the address of one; 0: nowhere */
    bool jumps_by_thunk;
    bool is_excluded;
    bool
        is_known; /* assembly, but what it does and how it is called is known */
};

/* By what the symbol tables say of this address; sets job->limit. */
enum plan_verdict patch_check_names(struct patch_job *job);
/* By every branch, address and table that leads into what is displaced. */
enum plan_verdict patch_check_branches(struct patch_job *job);
/* By what code computes, near the function and in it, and then jumps to. */
enum plan_verdict patch_check_computed(struct patch_job *job);
/* By the distances of 4 or 8 bytes in a table, from its own start, that the
 * function takes the address of; it ends where one leads to no code. Where
 * tables of functions are kept like this, too, the entry alone says nothing:
 * labels of this function must stand beside it. */
enum plan_verdict patch_check_table(struct patch_job *job, uint64_t table,
                                    unsigned bytes);
/* Amid the bytes that are displaced: not where the jump begins. */
bool patch_is_displaced(const struct patch_job *job, uint64_t target);

enum patch_reference {
    REFERENCE_NONE,
    REFERENCE_CALL,
    REFERENCE_JUMP,
    REFERENCE_ADDRESS,
    REFERENCE_UNKNOWN, /* no code that anybody describes, maybe data */
};
/* What the code at `place` is, the first byte of an operand: decoded from where
 * its function starts. *target comes in as the raw bytes have it; it stays
 * where nobody can tell how the code is to be read, and then it counts. */
enum patch_reference patch_reference_at(const struct patch_job *job,
                                        uint64_t place, uint64_t *target);
/* Code of a retpoline: call; pause. Or for LVI: lfence. */
bool patch_is_thunk(const struct plan_image *image, uint64_t vaddr);
/* Is something added to the address of the function's entry, which the operand
 * at `place` takes? */
bool patch_is_base(const struct patch_job *job, uint64_t place);
/* Does a function with a name of its own begin here, that is no part? */
bool patch_is_function(const struct plan_image *image, uint64_t target);
/* A name that compilers give to a part of a function. */
bool patch_is_part(const char *name);
/* From where to read the code at pc. Between two functions that are described
 * (the start of a C program, assembly) it is read from the end of the first.
 * False: nobody knows. */
bool patch_region_of(const struct plan_image *image, uint64_t pc,
                     struct patch_region *out);
/* By the call to a profiler (-pg) that its compiler put first. */
enum plan_verdict patch_check_profiler(struct patch_job *job);
/* By the registers that it uses. */
enum plan_verdict patch_check_registers(struct patch_job *job);
