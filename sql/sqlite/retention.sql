-- What retention and deletion run (tools/store), one statement under each
-- "-- :NAME". Each transaction touches a bounded number of rows, so that the
-- sidecar never waits long.

-- :begin
BEGIN IMMEDIATE;
-- :commit
COMMIT;
-- :rollback
ROLLBACK;
-- :temp_chunk
CREATE TEMP TABLE IF NOT EXISTS chunk (
  session INTEGER NOT NULL, ref INTEGER NOT NULL, site INTEGER NOT NULL,
  input, output, attributes, capture, error, links, -- where they stand apart
  PRIMARY KEY (session, ref)
) WITHOUT ROWID;
-- Spans that some sink does not have: of each lane from which reference on.
-- :temp_unsent
CREATE TEMP TABLE IF NOT EXISTS unsent (
  session INTEGER NOT NULL, lane INTEGER NOT NULL, lo INTEGER NOT NULL,
  PRIMARY KEY (session, lane)
) WITHOUT ROWID;
-- :unsent_clear
DELETE FROM temp.unsent;
-- :unsent_fill
INSERT INTO temp.unsent
SELECT o.session, o.lo >> 48, min(o.lo) FROM outbox o
WHERE o.seq > (SELECT min(cursor_seq) FROM sinks) AND o.lo IS NOT NULL
  AND o.session IN (SELECT session FROM contexts WHERE trace = ?1)
GROUP BY o.session, o.lo >> 48;

-- A removal that was begun, perhaps by somebody who was killed. (The last trace
-- stays while a session goes on: its number could be given to another, and the
-- sidecar still knows it.)
-- :begun
SELECT t.trace, t.trace_id, t.start_unix_ns, 1 FROM tombstones b
JOIN traces t ON t.trace_id = b.trace_id
WHERE b.is_begun
  AND (t.trace < (SELECT max(trace) FROM traces)
       OR NOT EXISTS (SELECT 1 FROM sessions WHERE state = 'live'))
LIMIT 1;
-- Traces behind (?5, ?6) in order of start, and whether one is to go: it ended
-- before ?1, has status ?2 (NULL: any), every sink has it (?3: whatever the
-- sinks have): nothing of it changed since its last entry in the outbox, which
-- stands behind those of its spans, and all sinks are past it. ?4 says what for:
-- 0 removal, 1 thinning out for the first time, 2 thinning out while it runs.
-- :oldest
SELECT t.trace, t.trace_id, t.start_unix_ns,
  CASE ?4
    WHEN 2 THEN t.status = 'open'
    WHEN 1 THEN t.status <> 'open'
      AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.trace = t.trace)
      AND NOT EXISTS (SELECT 1 FROM tombstones b WHERE b.trace_id = t.trace_id)
    ELSE t.status <> 'open' AND (?2 IS NULL OR t.status = ?2)
      AND (t.trace < (SELECT max(trace) FROM traces)
           OR NOT EXISTS (SELECT 1 FROM sessions WHERE state = 'live'))
  END
  AND (?4 = 2 OR t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1)
  AND (?3 OR ?4 = 2 OR NOT EXISTS (SELECT 1 FROM sinks) OR (
    NOT EXISTS (SELECT 1 FROM outbox o WHERE o.trace = t.trace
                AND o.seq > (SELECT min(cursor_seq) FROM sinks))
    AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.trace = t.trace)))
FROM traces t
WHERE (t.start_unix_ns, t.trace) > (?5, ?6)
ORDER BY t.start_unix_ns, t.trace LIMIT 500;
-- For people: held back by a sink, of those that ended before ?1.
-- :held_count
SELECT count(*) FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND NOT ?2 AND EXISTS (SELECT 1 FROM sinks)
  AND (EXISTS (SELECT 1 FROM outbox o WHERE o.trace = t.trace
               AND o.seq > (SELECT min(cursor_seq) FROM sinks))
       OR EXISTS (SELECT 1 FROM dirty d WHERE d.trace = t.trace));
-- Those that would go, and be thinned out (?3).
-- :count_aged
SELECT count(*), coalesce(sum((SELECT count(*) FROM spans s
                               WHERE s.trace = t.trace)), 0)
FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND (?2 OR NOT EXISTS (SELECT 1 FROM sinks) OR (
    NOT EXISTS (SELECT 1 FROM outbox o WHERE o.trace = t.trace
                AND o.seq > (SELECT min(cursor_seq) FROM sinks))
    AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.trace = t.trace)))
  AND (NOT ?3 OR NOT EXISTS
    (SELECT 1 FROM tombstones b WHERE b.trace_id = t.trace_id));

-- :tombstone
INSERT INTO tombstones (trace_id, at_unix_ns, reason, spans, is_begun)
VALUES (?1, ?2, ?3, ?4, ?3 <> 'outcome')
ON CONFLICT (trace_id) DO UPDATE SET reason = excluded.reason,
  at_unix_ns = excluded.at_unix_ns, spans = spans + excluded.spans,
  is_begun = excluded.is_begun;
-- :tombstone_done
UPDATE tombstones SET is_begun = 0 WHERE trace_id = ?1;

-- Out with a trace: spans in chunks, then the rest at once.
-- :chunk_clear
DELETE FROM temp.chunk;
-- :chunk_of_trace
INSERT INTO temp.chunk
SELECT session, ref, site,
  CASE WHEN typeof(input) = 'blob' THEN input END,
  CASE WHEN typeof(output) = 'blob' THEN output END,
  CASE WHEN typeof(attributes) = 'blob' THEN attributes END,
  CASE WHEN typeof(capture) = 'blob' THEN capture END,
  CASE WHEN typeof(error) = 'blob' THEN error END,
  CASE WHEN typeof(links) = 'blob' THEN links END
FROM span_rows WHERE trace = ?1 LIMIT ?2;
-- :chunk_drop
DELETE FROM span_rows WHERE (session, ref) IN
  (SELECT session, ref FROM temp.chunk);
-- Their long texts.
-- :chunk_leave
UPDATE texts SET uses = uses - u.count
FROM (SELECT CAST(text AS INTEGER) AS text, count(*) AS count FROM (
    SELECT input AS text FROM temp.chunk WHERE input NOT NULL
    UNION ALL SELECT output FROM temp.chunk WHERE output NOT NULL
    UNION ALL SELECT attributes FROM temp.chunk WHERE attributes NOT NULL
    UNION ALL SELECT capture FROM temp.chunk WHERE capture NOT NULL
    UNION ALL SELECT error FROM temp.chunk WHERE error NOT NULL
    UNION ALL SELECT links FROM temp.chunk WHERE links NOT NULL)
  GROUP BY text) u
WHERE texts.text = u.text;
-- :chunk_texts
DELETE FROM texts WHERE uses <= 0;
-- :chunk_refused
DELETE FROM refused WHERE (session, ref) IN
  (SELECT session, ref FROM temp.chunk);
-- :chunk_overdue
DELETE FROM overdue WHERE (session, ref) IN
  (SELECT session, ref FROM temp.chunk);
-- :drop_rollups
DELETE FROM rollups WHERE trace = ?1;
-- :drop_processes
DELETE FROM processes WHERE trace = ?1;
-- :drop_contexts
DELETE FROM contexts WHERE trace = ?1;
-- :drop_trace
DELETE FROM traces WHERE trace = ?1;
-- :drop_outbox
DELETE FROM outbox WHERE trace = ?1;
-- :drop_dirty
DELETE FROM dirty WHERE trace = ?1;

-- Sessions behind ?2, and whether no trace of one is left.
-- :empty_session
SELECT s.session, s.state <> 'live'
  AND NOT EXISTS (SELECT 1 FROM contexts c WHERE c.session = s.session)
  AND (?1 OR NOT EXISTS (SELECT 1 FROM sinks)
       OR NOT EXISTS (SELECT 1 FROM outbox o WHERE o.session = s.session
                      AND o.seq > (SELECT min(cursor_seq) FROM sinks)))
FROM sessions s WHERE s.session > ?2 ORDER BY s.session LIMIT 500;
-- :session_spans
DELETE FROM span_rows WHERE session = ?1;
-- :session_texts
DELETE FROM texts WHERE session = ?1;
-- :session_processes
DELETE FROM processes WHERE session = ?1;
-- :session_threads
DELETE FROM threads WHERE session = ?1;
-- :session_sites
DELETE FROM sites WHERE session = ?1;
-- :session_losses
DELETE FROM losses WHERE session = ?1;
-- :session_rollups
DELETE FROM rollups WHERE session = ?1;
-- :session_outbox
DELETE FROM outbox WHERE session = ?1;
-- :session_cursors
DELETE FROM lane_cursors WHERE session = ?1;
-- :session_frames
DELETE FROM open_frames WHERE session = ?1;
-- :session_counters
DELETE FROM counter_cursors WHERE session = ?1;
-- :session_stacks
DELETE FROM stacks WHERE session = ?1;
-- :session_origins
DELETE FROM error_origins WHERE session = ?1;
-- :session_throws
DELETE FROM throws WHERE session = ?1;
-- :session_overdue
DELETE FROM overdue WHERE session = ?1;
-- :session_drop
DELETE FROM sessions WHERE session = ?1;

-- Thinning out: what did not go well or was overdue stays, and of each handler
-- the slowest calls (so what is rare stays whole), with all that they were
-- called from. From the newest to the oldest, so that a call comes before what
-- it was called from; behind (?2, ?3, ?4). First what each handler's slowest
-- are, then what goes.
-- :thin_rank
SELECT start_unix_ns, session, ref, site, duration_ns FROM span_rows
WHERE trace = ?1 AND (start_unix_ns, session, ref) < (?2, ?3, ?4)
ORDER BY start_unix_ns DESC, session DESC, ref DESC;
-- :thin_look
SELECT s.start_unix_ns, s.session, s.ref, s.site, s.duration_ns, s.parent_ref,
  s.status = 'ok'
  AND NOT EXISTS (SELECT 1 FROM overdue o
                  WHERE o.session = s.session AND o.ref = s.ref)
  AND NOT EXISTS (SELECT 1 FROM temp.unsent u WHERE u.session = s.session
                  AND u.lane = s.ref >> 48 AND u.lo <= s.ref)
FROM span_rows s
WHERE s.trace = ?1 AND (s.start_unix_ns, s.session, s.ref) < (?2, ?3, ?4)
ORDER BY s.start_unix_ns DESC, s.session DESC, s.ref DESC;
-- :is_dirty
SELECT 1 FROM dirty WHERE trace = ?1;
-- :chunk_add
INSERT INTO temp.chunk
SELECT session, ref, site,
  CASE WHEN typeof(input) = 'blob' THEN input END,
  CASE WHEN typeof(output) = 'blob' THEN output END,
  CASE WHEN typeof(attributes) = 'blob' THEN attributes END,
  CASE WHEN typeof(capture) = 'blob' THEN capture END,
  CASE WHEN typeof(error) = 'blob' THEN error END,
  CASE WHEN typeof(links) = 'blob' THEN links END
FROM span_rows WHERE session = ?1 AND ref = ?2;
-- The calls stay in the totals, as calls without detail.
-- :thin_rollups
UPDATE rollups SET dropped_calls = dropped_calls +
  (SELECT count(*) FROM temp.chunk c
   WHERE c.session = rollups.session AND c.site = rollups.site)
WHERE trace = ?1 AND (session, site) IN
  (SELECT session, site FROM temp.chunk);
-- :thin_losses
INSERT INTO losses (session, site, kind, count)
SELECT session, 0, 'thinned_spans', count(*) FROM temp.chunk
WHERE true GROUP BY session
ON CONFLICT (session, site, kind) DO UPDATE SET count = count + excluded.count;

-- :pages
SELECT (SELECT page_count FROM pragma_page_count),
  (SELECT freelist_count FROM pragma_freelist_count),
  (SELECT page_size FROM pragma_page_size),
  (SELECT auto_vacuum FROM pragma_auto_vacuum);
-- :trace_find
SELECT trace, status FROM traces WHERE trace_id = ?1;
-- :sinks
SELECT name FROM sinks ORDER BY sink;
