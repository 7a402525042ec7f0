/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a traced process as elfutils sees them: bytes of their
 * segments for the unwinder, functions and lines for people. An object whose
 * file is not there any more, or is another one now (build id), keeps only its
 * path, build id and offsets.
 */
#pragma once
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct modules;
struct search;
struct values;

/* An object as the process had it mapped: see struct lane_module. */
struct module_place {
    uint64_t bias, end; /* run-time addresses: link-time ones + bias */
    const char *path;
    const uint8_t *build_id;
    uint32_t build_id_bytes;
};

/* NULL: out of memory. */
struct modules *modules_new(void);
void modules_free(struct modules *modules);
/* Look for files as `search` says, not only where the process had them. It
 * must outlive the modules. */
void modules_search(struct modules *modules, const struct search *search);
/* Which files were read, of the last one: "file", "debug". */
void modules_files(const struct modules *modules, cJSON *to);
/* Make it known, if it is not. */
int modules_add(struct modules *modules, const struct module_place *place)
    __attribute__((warn_unused_result));

/* What the unwinder needs to know of the object at a run-time address. */
struct module_tables {
    uint64_t low, high; /* run-time addresses of the object */
    uint64_t segbase;   /* of .eh_frame_hdr */
    uint64_t table;     /* of its search table */
    uint64_t table_entries;
};
/* False: no object, or none with such a table. */
bool modules_find_tables(struct modules *modules, uint64_t address,
                         struct module_tables *out);
/* Bytes of an object's file at a run-time address. */
bool modules_read(struct modules *modules, uint64_t address, void *out,
                  size_t len_bytes);
bool modules_is_code(struct modules *modules, uint64_t address);
/* Is the object at the address the one with this build id? */
bool modules_has_id(struct modules *modules, uint64_t address,
                    const uint8_t *build_id, uint32_t build_id_bytes);

/* From now on frames get values of this place; NULL: not any more. */
void modules_values(struct modules *modules, struct values *values);
/*
 * Append the frames that one address stands for, innermost first: functions
 * that were inlined there, then the one that holds them. `is_call`: it is a
 * return address, the call stands before it.
 */
void modules_describe(struct modules *modules, uint64_t address, bool is_call,
                      bool is_guess, cJSON *frames);
