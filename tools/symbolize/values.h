/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments and locals of a frame as text, where DWARF can tell: of the stack
 * copy alone, bounded, without variables that are called as secrets are.
 * docs/errors.md has the notation.
 */
#pragma once
#include <cjson/cJSON.h>
#include "tools/symbolize/location.h"

enum {
    VALUES_BYTES = 16 * 1024, /* of all frames of a stack */
};
struct values {
    struct location_place place; /* pc, bias and base are filled by the frame */
    uint32_t room;               /* bytes of text that may still come */
};

/* A function's scopes: its DIE (or that of the inlined call), then the blocks
 * in it that the address is in, innermost first. */
struct values_scope {
    Dwarf_Die *function;
    Dwarf_Die *blocks;
    int block_count;
};
/* "arguments" and "locals" into the frame. */
void values_add(struct values *values, const struct values_scope *scope,
                cJSON *frame);
