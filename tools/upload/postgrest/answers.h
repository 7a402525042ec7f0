/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of PostgREST or InsForge means for the rows that were sent:
 * the table of docs/upload.md. */
#pragma once
#include "tools/upload/http/http.h"
#include "tools/upload/outbox/sink.h"

/* By SQLSTATE: verdict and is_ambiguous. SINK_HOLD where no rule is there. */
void answers_by_code(const char *code, struct sink_answer *out);

/* Fills verdict, code, message, is_ambiguous and retry_after_ms. */
void answers_judge(const struct http_answer *answer, struct sink_answer *out);
