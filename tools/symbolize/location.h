/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a variable in a frame of a copied stack: DWARF's location
 * expressions over the frame's registers and the copy. Nothing else is read:
 * no process, no file.
 */
#pragma once
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame as the unwinder found it. */
struct location_frame {
    uint64_t registers[17]; /* DWARF numbers, rip last */
    uint32_t known;         /* bit n: registers[n] is what it was */
    uint64_t cfa;           /* 0: not known */
};
struct entry_chain;
struct location_place {
    const struct location_frame *frame;
    const uint8_t *bytes; /* the copy */
    uint64_t first_address;
    uint32_t len_bytes;
    uint64_t pc, bias;     /* link-time pc; run-time addresses: + bias */
    Dwarf_Attribute *base; /* DW_AT_frame_base of the function, or NULL */
    Dwarf_Die *function;   /* not an inlined one */
    const struct entry_chain *chain;
};
enum location_end {
    LOCATION_FOUND,
    LOCATION_GONE,    /* optimized out here */
    LOCATION_UNKNOWN, /* in memory or a register that was not kept */
};

/* Copied bytes at a run-time address: their number, at most `cap_bytes`. */
size_t location_memory(const struct location_place *place, uint64_t address,
                       void *out, size_t cap_bytes);
/* What an expression without variable comes to, at this place. */
bool location_evaluate(const struct location_place *place,
                       Dwarf_Attribute *attr, uint64_t *value);
/* The value of a variable, `len_bytes` of it. */
enum location_end location_read(const struct location_place *place,
                                Dwarf_Die *variable, uint8_t *out,
                                size_t len_bytes);
