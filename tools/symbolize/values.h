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
    VALUES_SECRETS = 32,
    VALUES_SECRET_BYTES = 120,
};
/* Text that variables with a name of a secret have: to be hidden in others. */
struct values_secrets {
    struct {
        uint8_t bytes[VALUES_SECRET_BYTES];
        size_t len;
    } text[VALUES_SECRETS];
    int count;
};
struct values {
    struct location_place place; /* pc, bias and base are filled by the frame */
    uint32_t room;               /* bytes of text that may still come */
    /* all frames are gone through once to fill it before texts are made */
    struct values_secrets *secrets;
    bool is_filling;
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
