/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks to frames with names, in a process of its own: ELF and DWARF of
 * foreign programs are read there, and what they break is that process alone.
 *
 * Request and answer are messages on a stream socket: a length (4 bytes, this
 * machine's order), then so many bytes. A request is struct
 * symbolize_request, its modules, their paths, the stack frame's payload. The
 * answer is a JSON text: {"frames": [...], "end": "whole" | ...}.
 *
 * A request that begins with SYMBOLIZE_PLACES goes on as a JSON text:
 * {"object": path, "build_id": hex, "places": [["0x1a40", is exact], ...],
 * "files": [...], "dirs": [...]}, and asks for the frames of single places of
 * an object. Answer: {"frames": [[...], ...], one list a place; "file",
 * "debug": what was read, "others": [{"file", "build_id"}, ...]}.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SYMBOLIZE_REQUEST_MAX = 2 << 20,
    SYMBOLIZE_ANSWER_MAX = 1 << 20,
    SYMBOLIZE_PLACES_MAX = 200, /* places in a request */
};
#define SYMBOLIZE_PLACES 0xffffffffu /* no stack has so many modules */
struct symbolize_request {
    uint32_t module_count;
    uint32_t path_bytes;  /* of all of them */
    uint32_t stack_bytes; /* payload: head, calls, bytes */
    uint8_t own_id[20];   /* build id of the preload */
};
struct symbolize_module {
    uint64_t bias, end;
    uint32_t path_bytes; /* without NUL */
    uint32_t build_id_bytes;
    uint8_t build_id[20];
    uint32_t pad0;
};
_Static_assert(sizeof(struct symbolize_request) == 32, "a message");
_Static_assert(sizeof(struct symbolize_module) == 48, "a message");

/* ---- the worker's side: `handspan symbolize --worker` ------------------- */

/* Serve requests on a descriptor until its end. Exit status. */
int symbolize_serve(int fd);
/* One request to an answer, malloc'ed; NULL: out of memory. */
char *symbolize_answer(const uint8_t *request, size_t len_bytes);
/* The same of SYMBOLIZE_PLACES: the text behind it. */
char *symbolize_places(const char *request, size_t len_bytes);

/* ---- the client's side --------------------------------------------------- */

struct symbolize_client {
    int fd; /* -1: none runs */
    int32_t pid;
    int32_t failures;    /* in a row */
    int32_t patience_ms; /* for an answer; 0: a few seconds */
    /* the message under way; NULL: nothing is */
    uint8_t *bytes;
    size_t len_bytes, moved_bytes;
    int64_t until_ms; /* CLOCK_MONOTONIC */
    bool is_answer;
};
/* Begin to ask, if nothing is under way; start a worker if none runs. 0 or
 * -errno. */
int symbolize_begin(struct symbolize_client *client, const void *request,
                    size_t len_bytes) __attribute__((warn_unused_result));
bool symbolize_is_busy(const struct symbolize_client *client);
/*
 * What came of it, without waiting. 0: the answer, malloc'ed. -EINPROGRESS:
 * look again. Other -errno: the worker died, or took longer than a few
 * seconds, and another one is started for the next request, up to a limit.
 */
int symbolize_look(struct symbolize_client *client, char **answer)
    __attribute__((warn_unused_result));
/* Both, and wait for it. */
int symbolize_ask(struct symbolize_client *client, const void *request,
                  size_t len_bytes, char **answer)
    __attribute__((warn_unused_result));
/* Whatever is under way is forgotten. */
void symbolize_stop(struct symbolize_client *client);
