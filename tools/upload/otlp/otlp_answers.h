/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OTLP receiver's answer means (OTLP 1.x, "OTLP/HTTP Response"):
 * success is its own message, empty or with a partial success; 429, 502, 503
 * and 504 are to be tried again, 413 in smaller pieces, all other refusals are
 * for good. What a person can mend (a key, an address) waits for that.
 */
#pragma once
#include "tools/upload/http/http.h"
#include "tools/upload/outbox/sink.h"

/* Fills in all of `out` but sent_bytes. */
void otlp_judge(const struct http_answer *answer, struct sink_answer *out);
