/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of planning an entry patch. Each looks at one reason to refuse.
 * Private to shim/plan.
 */
#pragma once
#include "shim/plan/decode.h"

enum {
    ENDBR_BYTES = 4,
    PATCH_TABLES_MAX = 64,  /* addresses that may be jump tables */
    FLOW_BYTES_MAX = 65536, /* how far the register check looks */
    FLOW_PENDING_MAX = 512,
};

struct patch_scratch {
    uint64_t tables[PATCH_TABLES_MAX];
    uint8_t seen[FLOW_BYTES_MAX];
    struct {
        uint64_t pc;
        uint8_t saved;
    } pending[FLOW_PENDING_MAX];
};

struct patch_job {
    struct plan_reader reader;
    struct patch_scratch *scratch;
    uint64_t vaddr, end;  /* of the function */
    uint64_t limit;       /* up to here padding may be overwritten */
    uint64_t patch_vaddr; /* vaddr, or behind endbr64 */
    uint64_t displaced_end;
    uint64_t part; /* the other part that was looked at last */
    bool is_excluded;
};

/* By what the symbol tables say of this address; sets job->limit. */
enum plan_verdict patch_check_names(struct patch_job *job);
/* By every branch of the function and of its other parts. */
enum plan_verdict patch_check_branches(struct patch_job *job);
/* By the registers that it reads. */
enum plan_verdict patch_check_registers(struct patch_job *job);
