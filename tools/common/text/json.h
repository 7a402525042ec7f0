/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines, as every --json prints them. This is the file that owns cJSON
 * for the views. 64-bit integers are written as digits, never through a
 * double; text is made valid UTF-8 first, since cJSON passes anything through.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stddef.h>

struct cJSON;

/* An empty one, the caller's: cJSON_Delete(). NULL: no memory. */
struct cJSON *json_object(void);
struct cJSON *json_array(void);
/* null where text is NULL. */
struct cJSON *json_string(const char *text);
/* All of these append to an object; `key` is copied. */
void json_int(struct cJSON *to, const char *key, int64_t n);
/* null where n < 0: most of our numbers are unknown then. */
void json_count(struct cJSON *to, const char *key, int64_t n);
/* 16 hex digits, or null for 0. */
void json_id(struct cJSON *to, const char *key, uint64_t id);
void json_bool(struct cJSON *to, const char *key, bool b);
void json_null(struct cJSON *to, const char *key);
/* null where text is NULL. */
void json_text(struct cJSON *to, const char *key, const char *text);
/* `raw` as it stands if it is valid JSON, else `otherwise` ("null", "{}").
 * NULL counts as not valid. */
void json_raw(struct cJSON *to, const char *key, const char *raw,
              const char *otherwise);
void json_object_add(struct cJSON *to, const char *key, struct cJSON *object);
void json_append_text(struct cJSON *array, const char *text);
void json_append(struct cJSON *array, struct cJSON *object);

/* A text as it stands in JSON, with its quotes, made valid UTF-8; null for
 * NULL. For what writes millions of lines, without an object for each. */
struct buf;
void json_quote(struct buf *b, const char *text);

/* {"schema":1} */
void json_print_schema(FILE *out);
/* One line; frees the object. 0 or -ENOMEM. */
int json_print(FILE *out, struct cJSON *object);

/*
 * The text of a member of a JSON object, as it stands, without parsing
 * numbers: points into `object`. NULL if it is not there, is null, or `object`
 * is no valid JSON object.
 */
const char *json_member(const char *object, const char *key, int *len_bytes);
/* A member as text for people: strings unquoted into `out`, others as they
 * stand. False if it is not there. */
bool json_member_text(const char *object, const char *key, char *out,
                      size_t cap_bytes);
