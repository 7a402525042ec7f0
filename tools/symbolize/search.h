/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of an object by its build id, for `handspan symbolize`: where the
 * process had it, beside that, where debug files are kept, and what the user
 * names. A file of another build id is never taken, but named.
 */
#pragma once
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct search {
    const cJSON *files, *dirs; /* texts, of the user; NULL: none */
    cJSON *others; /* gets {"file":, "build_id":} of what is not it */
};
struct search_object {
    const char *path; /* as the process had it */
    const uint8_t *build_id;
    uint32_t build_id_bytes;
    const char *link; /* its .gnu_debuglink; NULL: not known */
};

/* Open the object itself, or with `is_debug` one with its DWARF. A descriptor
 * and its malloc'ed name; -1: there is none. */
int search_open(const struct search *search, const struct search_object *object,
                bool is_debug, char **name);
/* Has the ELF file this build id? False also where there is none. */
bool search_has_id(int fd, const uint8_t *build_id, uint32_t build_id_bytes);
