-- What retention and deletion run (tools/store), one statement under each
-- "-- :NAME". Each transaction touches a bounded number of rows, so that the
-- sidecar never waits long.

-- :begin
BEGIN IMMEDIATE;
-- :commit
COMMIT;
-- :rollback
ROLLBACK;
-- :temp_keep
CREATE TEMP TABLE IF NOT EXISTS keep (
  session INTEGER NOT NULL, ref INTEGER NOT NULL, PRIMARY KEY (session, ref)
) WITHOUT ROWID;
-- :temp_chunk
CREATE TEMP TABLE IF NOT EXISTS chunk (
  session INTEGER NOT NULL, ref INTEGER NOT NULL, site INTEGER NOT NULL,
  PRIMARY KEY (session, ref)
) WITHOUT ROWID;
-- Which traces every sink has: nothing of them changed since their last entry
-- in the outbox (it stands behind those of their spans), and all sinks are past
-- it. ?1: whatever the sinks have.
-- :temp_held
CREATE TEMP TABLE IF NOT EXISTS held (trace INTEGER PRIMARY KEY);
-- :held_clear
DELETE FROM temp.held;
-- :held_fill
INSERT OR IGNORE INTO temp.held
SELECT o.trace FROM outbox o
WHERE NOT ?1 AND o.trace IS NOT NULL
  AND o.seq > (SELECT min(cursor_seq) FROM sinks)
UNION ALL
SELECT d.trace FROM dirty d
WHERE NOT ?1 AND EXISTS (SELECT 1 FROM sinks);
-- Held back by a sink, of those that ended before ?1.
-- :held_count
SELECT count(*) FROM temp.held h JOIN traces t ON t.trace = h.trace
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1;

-- The last trace stays while a session goes on: its number could be given to
-- another, and the sidecar still knows it.
-- A removal that was begun.
-- :begun
SELECT t.trace, t.trace_id, b.reason FROM tombstones b
JOIN traces t ON t.trace_id = b.trace_id
WHERE b.reason <> 'outcome'
  AND (t.trace < (SELECT max(trace) FROM traces)
       OR NOT EXISTS (SELECT 1 FROM sessions WHERE state = 'live'))
LIMIT 1;
-- The oldest that ended before ?1, of status ?2 (NULL: any).
-- :oldest
SELECT t.trace, t.trace_id FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND (?2 IS NULL OR t.status = ?2)
  AND t.trace NOT IN (SELECT trace FROM temp.held)
  AND (t.trace < (SELECT max(trace) FROM traces)
       OR NOT EXISTS (SELECT 1 FROM sessions WHERE state = 'live'))
ORDER BY t.start_unix_ns LIMIT 1;
-- The oldest that ended before ?1 and was not thinned out yet.
-- :oldest_whole
SELECT t.trace, t.trace_id FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND t.trace NOT IN (SELECT trace FROM temp.held)
  AND t.trace NOT IN (SELECT trace FROM dirty)
  AND NOT EXISTS (SELECT 1 FROM tombstones b WHERE b.trace_id = t.trace_id)
ORDER BY t.start_unix_ns LIMIT 1;
-- What :oldest would go through.
-- :count_aged
SELECT count(*), coalesce(sum((SELECT count(*) FROM spans s
                               WHERE s.trace = t.trace)), 0)
FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND t.trace NOT IN (SELECT trace FROM temp.held);
-- :count_whole
SELECT count(*), coalesce(sum((SELECT count(*) FROM spans s
                               WHERE s.trace = t.trace)), 0)
FROM traces t
WHERE t.status <> 'open'
  AND t.start_unix_ns + coalesce(t.duration_ns, 0) < ?1
  AND t.trace NOT IN (SELECT trace FROM temp.held)
  AND NOT EXISTS (SELECT 1 FROM tombstones b WHERE b.trace_id = t.trace_id);

-- :tombstone
INSERT INTO tombstones (trace_id, at_unix_ns, reason, spans)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (trace_id) DO UPDATE SET reason = excluded.reason,
  at_unix_ns = excluded.at_unix_ns, spans = spans + excluded.spans;

-- Out with a trace: spans in chunks, then the rest at once.
-- :chunk_clear
DELETE FROM temp.chunk;
-- :chunk_of_trace
INSERT INTO temp.chunk
SELECT session, ref, site FROM spans WHERE trace = ?1 LIMIT ?2;
-- :chunk_drop
DELETE FROM spans WHERE (session, ref) IN
  (SELECT session, ref FROM temp.chunk);
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

-- Sessions of which no trace is left.
-- :empty_session
SELECT s.session FROM sessions s
WHERE s.state <> 'live'
  AND NOT EXISTS (SELECT 1 FROM contexts c WHERE c.session = s.session)
  AND (?1 OR NOT EXISTS (SELECT 1 FROM sinks)
       OR NOT EXISTS (SELECT 1 FROM outbox o WHERE o.session = s.session
                      AND o.seq > (SELECT min(cursor_seq) FROM sinks)))
LIMIT 1;
-- :session_spans
DELETE FROM spans WHERE session = ?1;
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

-- Thinning out: what did not go well or was overdue stays, and of each handler the ?2 slowest
-- calls (so what is rare stays whole), with all that they were called from.
-- :keep_clear
DELETE FROM temp.keep;
-- :keep_fill
INSERT INTO temp.keep
SELECT session, ref FROM (
  SELECT session, ref, status, row_number() OVER (
    PARTITION BY session, site ORDER BY duration_ns DESC) AS place
  FROM spans WHERE trace = ?1)
WHERE place <= ?2 OR status <> 'ok'
  OR (session, ref) IN (SELECT session, ref FROM overdue);
-- :keep_callers
INSERT OR IGNORE INTO temp.keep
WITH RECURSIVE up (session, ref) AS (
  SELECT session, ref FROM temp.keep
  UNION
  SELECT s.session, s.parent_ref
  FROM up JOIN spans s ON s.session = up.session AND s.ref = up.ref
  WHERE s.parent_ref > 0)
SELECT session, ref FROM up;
-- :is_dirty
SELECT 1 FROM dirty WHERE trace = ?1;
-- :chunk_to_thin
INSERT INTO temp.chunk
SELECT s.session, s.ref, s.site FROM spans s
WHERE s.trace = ?1 AND s.status = 'ok'
  AND NOT EXISTS (SELECT 1 FROM temp.keep k
                  WHERE k.session = s.session AND k.ref = s.ref)
LIMIT ?2;
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
