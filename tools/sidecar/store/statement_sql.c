/* SPDX-License-Identifier: Apache-2.0 */
/* See statement_sql.h. */
#include "tools/sidecar/store/statement_sql.h"
#include <stdio.h>
#include <string.h>
#include "lane/format/assert.h"
#include "sql/sql.h"

static const char *const names[STORE_STATEMENTS] = {
    [STORE_SESSION_ADD] = "session_add",
    [STORE_SESSION_FIND] = "session_find",
    [STORE_SESSION_SERVICE] = "session_service",
    [STORE_SESSION_NOTE] = "session_note",
    [STORE_SESSION_GAP] = "session_gap",
    [STORE_SESSION_END] = "session_end",
    [STORE_SESSION_END_CURSORS] = "session_end_cursors",
    [STORE_SESSION_END_FRAMES] = "session_end_frames",
    [STORE_SESSION_END_COUNTERS] = "session_end_counters",
    [STORE_SESSION_END_OPEN] = "session_end_open",
    [STORE_CURSOR_ADD] = "cursor_add",
    [STORE_CURSOR_MOVE] = "cursor_move",
    [STORE_CURSOR_ALL] = "cursor_all",
    [STORE_FRAME_SET] = "frame_set",
    [STORE_FRAME_DROP] = "frame_drop",
    [STORE_FRAME_ALL] = "frame_all",
    [STORE_COUNTER_ADD] = "counter_add",
    [STORE_COUNTER_MOVE] = "counter_move",
    [STORE_COUNTER_GET] = "counter_get",
    [STORE_THREAD_SET] = "thread_set",
    [STORE_THREAD_LAST] = "thread_last",
    [STORE_PROCESS_SET] = "process_set",
    [STORE_PROCESS_END] = "process_end",
    [STORE_PROCESS_ENDED] = "process_ended",
    [STORE_CONTEXT_FIND] = "context_find",
    [STORE_CONTEXT_ADD] = "context_add",
    [STORE_TRACE_FIND] = "trace_find",
    [STORE_TRACE_ADD] = "trace_add",
    [STORE_CONTEXT_ROOT] = "context_root",
    [STORE_PROCESS_EXECED] = "process_execed",
    [STORE_PROCESS_LOADED] = "process_loaded",
    [STORE_PROCESS_LOST] = "process_lost",
    [STORE_TRACE_ROOTS] = "trace_roots",
    [STORE_TRACE_ROOT] = "trace_root",
    [STORE_TRACE_PROCESS] = "trace_process",
    [STORE_TRACE_COMMAND] = "trace_command",
    [STORE_TRACE_WORK] = "trace_work",
    [STORE_PAUSE_BEGIN] = "pause_begin",
    [STORE_PAUSE_END] = "pause_end",
    [STORE_PAUSES_END] = "pauses_end",
    [STORE_PAUSES_SEEN] = "pauses_seen",
    [STORE_SITE_SET] = "site_set",
    [STORE_SITE_UNSEEN] = "site_unseen",
    [STORE_SPAN_PLAIN] = "span_plain",
    [STORE_SPAN_ADD] = "span_add",
    [STORE_SPANS_PLAIN] = "spans_plain",
    [STORE_SPANS_ADD] = "spans_add",
    [STORE_SPAN_SET] = "span_set",
    [STORE_STACK_SET] = "stack_set",
    [STORE_STACK_GET] = "stack_get",
    [STORE_ORIGIN_SET] = "origin_set",
    [STORE_ORIGIN_GET] = "origin_get",
    [STORE_ORIGIN_THROWN] = "origin_thrown",
    [STORE_SESSION_END_ORIGINS] = "session_end_origins",
    [STORE_OVERDUE_FIND] = "overdue_find",
    [STORE_OVERDUE_ADD] = "overdue_add",
    [STORE_THROW_ADD] = "throw_add",
    [STORE_GROUP_ADD] = "group_add",
    [STORE_ROLLUP_GET] = "rollup_get",
    [STORE_ROLLUP_ADD] = "rollup_add",
    [STORE_LOSS_SET] = "loss_set",
    [STORE_LOSS_ADD] = "loss_add",
    [STORE_VERSION] = "version",
    [STORE_OUTBOX_SPANS] = "outbox_spans",
    [STORE_OUTBOX_SESSION] = "outbox_session",
    [STORE_OUTBOX_TRACES] = "outbox_traces",
    [STORE_DIRTY_DONE] = "dirty_done",
    [STORE_DIRTY_LEFT] = "dirty_left",
    [STORE_BEGIN] = "begin",
    [STORE_COMMIT] = "commit",
};

const char *statement_sql(enum store_statement which, const char **name)
{
    lane_assert(which < STORE_STATEMENTS);
    char mark[64];
    *name = names[which];
    int len = snprintf(mark, sizeof mark, "-- :%s\n", *name);
    const char *at = strstr(sql_sqlite_sidecar, mark);
    return at ? at + len : NULL;
}
