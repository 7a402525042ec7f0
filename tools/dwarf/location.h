/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the debug information has a parameter at the first byte of its
 * function (DW_AT_location): the psABI's place, unless the compiler changed
 * how the function is called.
 */
#pragma once
#include "tools/dwarf/debug_internal.h"

enum {
    LOCATION_TEXT = 48
};
/* "rdi", "rdi:rsi", "-:rsi" and "rdi:-" (8 bytes of 16 are not passed:
 * optimized code of clang; "?" for the others: where the psABI has them),
 * "xmm0", "+8" (of the stack arguments), "*rdi" (a pointer to it), "-" (it is
 * not passed), "~" (it has places, but none so early), "=" (in memory, which
 * the caller need not fill if the function does not read it: optimized code of
 * clang), "%" (the function keeps it somewhere else: optimized code of clang),
 * "!rdi" (there for good, also what clang loads there first), "?" (not told:
 * what the psABI says), into `out`. `function` is the entry that has the code
 * at `pc`. */
void location_at_entry(Dwarf_Die *function, Dwarf_Die *param, uint64_t pc,
                       char out[LOCATION_TEXT]);
/* The entry with the parameters' names and types, in the order of the source:
 * the function itself, or what its DW_AT_abstract_origin names. */
void location_declared(Dwarf_Die *function, Dwarf_Die *out);
/* The parameter of `function` that `declared` is, in *out. False: the compiler
 * left it out. */
bool location_concrete(Dwarf_Die *function, Dwarf_Die *declared,
                       Dwarf_Die *out);
/* Was it compiled by gcc, which gives a function whose parameters it changes
 * another name? */
bool location_is_gcc(Dwarf_Die *function);
/* Does it say that it is called otherwise than psABI 3.2.3 has it? */
bool location_is_foreign(Dwarf_Die *function);
/* Of another compiler than gcc: may it have changed how functions are called?
 */
bool location_is_optimized(Dwarf_Die *function);
