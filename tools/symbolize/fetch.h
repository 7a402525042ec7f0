/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by build id from debuginfod servers: asked only if DEBUGINFOD_URLS or
 * debuginfod_urls of the settings names one, and never for long where somebody
 * waits. The library is loaded when it is needed; without it nobody is asked.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A request begins: seconds for all that it fetches; with `is_patient`
 * minutes. Must come before elfutils' own search. */
void fetch_begin(bool is_patient);
/* The object, or its debug file. A descriptor and its malloc'ed name in
 * libdebuginfod's cache; -1: nobody is configured, has it, or answers. */
int fetch_open(const uint8_t *build_id, uint32_t build_id_bytes, bool is_debug,
               char **name);
