-- What the sidecar runs, one statement under each "-- :NAME".

-- :session_add
INSERT INTO sessions (key, file, host, boot_id, state, created_unix_ns)
VALUES (?1, ?2, ?3, ?4, 'live', ?5)
ON CONFLICT (key) DO NOTHING;
-- :session_find
SELECT session, file, state, has_gap FROM sessions WHERE key = ?1;
-- :session_gap
UPDATE sessions SET has_gap = 1 WHERE session = ?1;
-- :session_service
UPDATE sessions SET service = ?2, resource = ?3 WHERE session = ?1;
-- :session_note
UPDATE sessions SET note = ?2 WHERE session = ?1;
-- :session_end
UPDATE sessions SET state = 'ended' WHERE session = ?1 AND state <> 'ended';
-- :session_end_cursors
DELETE FROM lane_cursors WHERE session = ?1;
-- :session_end_frames
DELETE FROM open_frames WHERE session = ?1;
-- :session_end_counters
DELETE FROM counter_cursors WHERE session = ?1;
-- Rows still open when nothing is open any more: their end found no room, and
-- the counters have their calls.
-- :session_end_open
DELETE FROM span_rows WHERE session = ?1 AND status = 'open';

-- A cursor moves only from where it was when its items were taken: another
-- sidecar may have stored them meanwhile. No row changes then.
-- :cursor_add
INSERT INTO lane_cursors (session, lane, tail, records)
SELECT ?1, ?2, ?3, ?4 FROM sessions WHERE session = ?1 AND state <> 'ended'
ON CONFLICT (session, lane) DO NOTHING;
-- :cursor_move
UPDATE lane_cursors SET tail = ?3, records = ?4
WHERE session = ?1 AND lane = ?2 AND tail = ?5;
-- :cursor_all
SELECT lane, tail, records FROM lane_cursors WHERE session = ?1;

-- :frame_set
INSERT INTO open_frames (session, ref, kind, payload) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (session, ref, kind) DO UPDATE SET payload = excluded.payload;
-- :frame_drop
DELETE FROM open_frames WHERE session = ?1 AND ref = ?2;
-- :frame_all
SELECT ref, kind, payload FROM open_frames WHERE session = ?1;

-- The same for counters.
-- :counter_add
INSERT INTO counter_cursors (session, site, counter)
SELECT ?1, ?2, ?3 FROM sessions WHERE session = ?1 AND state <> 'ended'
ON CONFLICT (session, site) DO NOTHING;
-- :counter_move
UPDATE counter_cursors SET counter = ?3
WHERE session = ?1 AND site = ?2 AND counter = ?4;
-- :counter_get
SELECT counter FROM counter_cursors WHERE session = ?1 AND site = ?2;

-- :thread_set
INSERT INTO threads (session, lane, generation, process_idx, tid, name)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (session, lane, generation) DO UPDATE SET name = excluded.name;
-- :thread_last
SELECT generation, process_idx FROM threads
WHERE session = ?1 AND lane = ?2 ORDER BY generation DESC LIMIT 1;

-- :process_set
INSERT INTO processes (session, idx, trace, pid, parent_idx, parent_ref, name,
  program, command, start_unix_ns, status, is_root)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'open',
  ?2 = 0 AND (
    EXISTS (SELECT 1 FROM contexts c, traces t
      WHERE c.session = ?1 AND c.context = 0 AND t.trace = ?3
        AND c.remote_parent IS t.remote_parent)
    OR EXISTS (SELECT 1 FROM processes q
      WHERE q.trace = ?3 AND q.pid = ?4 AND q.is_root)))
ON CONFLICT (session, idx) DO NOTHING;
-- What this process exec'ed may have come in before it: a root like it.
-- :process_execed
UPDATE processes SET is_root = 1
WHERE trace = ?1 AND pid = ?2 AND idx = 0 AND NOT is_root
  AND EXISTS (SELECT 1 FROM processes q
    WHERE q.trace = ?1 AND q.pid = ?2 AND q.is_root);
-- An earlier process came in later: whose roots are the trace's now?
-- :trace_roots
UPDATE processes SET is_root = EXISTS (
  SELECT 1 FROM processes q
  JOIN contexts c ON c.session = q.session AND c.context = 0
  JOIN traces t ON t.trace = q.trace
  WHERE q.trace = ?1 AND q.pid = processes.pid AND q.idx = 0
    AND c.remote_parent IS t.remote_parent)
WHERE trace = ?1 AND idx = 0;
-- :process_loaded
UPDATE processes SET loading_ns = ?2, loading_cpu_ns = ?3
WHERE session = ?1 AND idx = 0;
-- :process_lost
UPDATE processes SET lost = ?3, target = ?4 WHERE session = ?1 AND idx = ?2;
-- :process_end
UPDATE processes SET duration_ns = ?3, cpu_ns = ?4, peak_bytes = ?5,
  peak_is_lower_bound = ?6, status = ?7, ended_by = ?8, exit_code = ?9,
  signal = ?10, end_source = ?11, end_least_ns = ?12, end_most_ns = ?13,
  error = ?14, error_group = ?15
WHERE session = ?1 AND idx = ?2;
-- :process_ended
SELECT idx, ended_by FROM processes WHERE session = ?1 AND status <> 'open';

-- :context_find
SELECT trace FROM contexts WHERE session = ?1 AND context = ?2;
-- :context_add
INSERT INTO contexts (session, context, trace, remote_parent)
VALUES (?1, ?2, ?3, ?4) ON CONFLICT (session, context) DO NOTHING;
-- :trace_find
SELECT trace FROM traces WHERE trace_id = ?1;
-- :trace_add
INSERT INTO traces (trace_id, session, context, remote_parent, flags, name,
  root_ref, start_unix_ns, status)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open')
ON CONFLICT (trace_id) DO UPDATE SET session = excluded.session,
  context = excluded.context, remote_parent = excluded.remote_parent,
  flags = excluded.flags, name = excluded.name, root_ref = excluded.root_ref,
  start_unix_ns = excluded.start_unix_ns
WHERE excluded.start_unix_ns < traces.start_unix_ns;
-- :context_root
UPDATE contexts SET root_ref = ?3 WHERE session = ?1 AND context = ?2;
-- A trace whose root is a handler: what its record says. It lasts until the end
-- of the last work that goes on for it, and fails with that.
-- :trace_root
UPDATE traces SET name = ?2, root_ref = ?3, start_unix_ns = ?4,
  root_end_unix_ns = ?4 + ?5, root_status = ?6,
  duration_ns = max(?5, coalesce(work_end_unix_ns, 0) - ?4),
  status = CASE WHEN ?6 = 'ok' AND work_failed_unix_ns > ?4 + ?5 THEN 'error'
    ELSE ?6 END
WHERE trace = ?1 AND session = ?7 AND context = ?8;
-- :trace_work
UPDATE traces SET
  work_end_unix_ns = max(coalesce(work_end_unix_ns, 0), ?2),
  work_failed_unix_ns = nullif(max(coalesce(work_failed_unix_ns, 0), ?3), 0),
  duration_ns = CASE WHEN root_end_unix_ns IS NULL THEN duration_ns
    ELSE max(root_end_unix_ns, coalesce(work_end_unix_ns, 0), ?2)
      - start_unix_ns END,
  status = CASE WHEN root_status = 'ok'
      AND max(coalesce(work_failed_unix_ns, 0), ?3) > root_end_unix_ns
    THEN 'error' ELSE status END
WHERE trace = ?1 AND context <> 0;
-- A trace of processes lasts from its start to the end of the last of them, also
-- of one that outlived all others. It failed if the command that `run` waited
-- for did, else its last root; and if the process that surely ended last did,
-- for whose end nobody was there: one that made itself a daemon.
-- :trace_process
UPDATE traces SET
  duration_ns = CASE
    WHEN EXISTS (SELECT 1 FROM processes p INDEXED BY processes_open
      WHERE p.trace = ?1 AND p.status = 'open') THEN NULL
    ELSE max(coalesce(command_end_unix_ns, 0), coalesce((
      SELECT p.start_unix_ns + coalesce(p.duration_ns, 0)
      FROM processes p INDEXED BY processes_ends WHERE p.trace = ?1
      ORDER BY p.start_unix_ns + coalesce(p.duration_ns, 0) DESC LIMIT 1),
      start_unix_ns)) - start_unix_ns END,
  status = CASE
    WHEN EXISTS (SELECT 1 FROM processes p INDEXED BY processes_open
      WHERE p.trace = ?1 AND p.status = 'open') THEN 'open'
    WHEN command_status <> 0 THEN 'error'
    WHEN EXISTS (SELECT 1 FROM (
      SELECT p.status, p.start_unix_ns + coalesce(p.end_least_ns,
        p.duration_ns, 0) AS ended
      FROM processes p INDEXED BY processes_sure_ends WHERE p.trace = ?1
      ORDER BY p.start_unix_ns + coalesce(p.end_least_ns, p.duration_ns, 0) DESC
      LIMIT 1) AS last
      WHERE last.status = 'error'
        AND last.ended > coalesce(traces.command_end_unix_ns, 0)) THEN 'error'
    WHEN command_status = 0 THEN 'ok'
    ELSE coalesce((
      SELECT p.status FROM processes p WHERE p.trace = ?1 AND p.is_root
      ORDER BY p.start_unix_ns + coalesce(p.duration_ns, 0) DESC,
        p.start_unix_ns DESC LIMIT 1), 'open') END
WHERE trace = ?1 AND context = 0;
-- What `run` says of its command. A trace that is not there yet: no row.
-- :trace_command
UPDATE traces SET command_status = ?2, command_end_unix_ns = ?3
WHERE trace_id = ?1;

-- Recording was switched off, and on again: by the ?4th switch of the session,
-- NULL: it was seen at the gate.
-- :pause_begin
INSERT OR IGNORE INTO pauses (session, from_unix_ns, process_idx, switch)
SELECT ?1, ?2, ?3, ?4
WHERE NOT EXISTS (SELECT 1 FROM pauses
  WHERE session = ?1 AND process_idx IS ?3 AND until_unix_ns IS NULL);
-- :pause_end
UPDATE pauses SET until_unix_ns = ?2, switch = ?4
WHERE session = ?1 AND process_idx IS ?3 AND until_unix_ns IS NULL;
-- Of all, whatever was off before.
-- :pauses_end
UPDATE pauses SET until_unix_ns = ?2, switch = ?3
WHERE session = ?1 AND until_unix_ns IS NULL AND from_unix_ns <= ?2;
-- :pauses_seen
SELECT coalesce(max(switch), 0) FROM pauses WHERE session = ?1;

-- :site_set
INSERT INTO sites (session, site, name, symbol, object, binding, shim, reason,
  address, build_id, declaration, is_root, slow_ns, declared, manifest,
  overdue_ns)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
ON CONFLICT (session, site) DO UPDATE SET binding = excluded.binding,
  shim = excluded.shim, reason = excluded.reason;
-- :site_unseen
UPDATE sites SET unseen = ?3, file = ?4, line = ?5
WHERE session = ?1 AND site = ?2;

-- A new span; most have no values (span_plain). One that is there is left as it
-- is: no row changed.
-- :span_plain
INSERT INTO span_rows (session, ref, trace, parent_ref, site, process_idx,
  generation, depth, start_unix_ns, duration_ns, self_ns, cpu_ns, status,
  ended_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (session, ref) DO NOTHING;
-- :span_add
INSERT INTO span_rows (session, ref, trace, parent_ref, site, process_idx,
  generation, depth, start_unix_ns, duration_ns, self_ns, cpu_ns, status,
  ended_by, input, output, attributes, capture, error, links, queue_ns, orphan,
  fingerprint)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
  ?17, ?18, ?19, ?20, ?21, ?22, ?23)
ON CONFLICT (session, ref) DO NOTHING;
-- The same for many at once (tools/sidecar/store/rows.h). OR FAIL: otherwise SQLite
-- keeps a journal of each page, so that it could undo the statement alone.
-- :spans_plain
INSERT OR FAIL INTO span_rows (session, ref, trace, parent_ref, site, process_idx,
  generation, depth, start_unix_ns, duration_ns, self_ns, cpu_ns, status,
  ended_by)
VALUES
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session, ref) DO NOTHING;
-- :spans_add
INSERT OR FAIL INTO span_rows (session, ref, trace, parent_ref, site, process_idx,
  generation, depth, start_unix_ns, duration_ns, self_ns, cpu_ns, status,
  ended_by, input, output, attributes, capture, error, links, queue_ns, orphan,
  fingerprint)
VALUES
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session, ref) DO NOTHING;
-- A span that was stored open becomes final; a final one never changes. The
-- parameters of span_add.
-- :span_set
UPDATE span_rows SET start_unix_ns = ?9, duration_ns = ?10, self_ns = ?11,
  cpu_ns = ?12, status = ?13, ended_by = ?14, input = ?15, output = ?16,
  attributes = ?17, capture = ?18, error = ?19, links = ?20, queue_ns = ?21,
  orphan = ?22, fingerprint = ?23
WHERE session = ?1 AND ref = ?2 AND status = 'open';

-- :stack_set
INSERT INTO stacks (session, hash, frames, ended) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (session, hash) DO NOTHING;
-- :stack_get
SELECT frames, ended FROM stacks WHERE session = ?1 AND hash = ?2;
-- :origin_set
INSERT INTO error_origins (session, lane, at, kind, payload)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (session, lane, at) DO UPDATE SET payload = excluded.payload;
-- The newest one whose low bits are those.
-- :origin_get
SELECT kind, payload FROM error_origins
WHERE session = ?1 AND lane = ?2 AND at & 4294967295 = ?3
ORDER BY at DESC LIMIT 1;
-- Where an exception that was thrown again came from: the newest throw of this
-- object in the lane, among the last ones (kind 7: LANE_FRAME_THROW).
-- :origin_thrown
SELECT payload FROM (SELECT payload FROM error_origins
  WHERE session = ?1 AND lane = ?2 AND kind = 7 ORDER BY at DESC LIMIT 256)
WHERE substr(payload, 1, 1) = x'01' AND substr(payload, 9, 8) = ?3 LIMIT 1;
-- :session_end_origins
DELETE FROM error_origins WHERE session = ?1;
-- :overdue_find
SELECT 1 FROM overdue WHERE session = ?1 AND ref = ?2;
-- :overdue_add
INSERT INTO overdue (session, ref, at_unix_ns, limit_ns, fingerprint, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (session, ref) DO NOTHING;
-- :throw_add
INSERT INTO throws (session, site, type, count) VALUES (?1, ?2, ?3, 1)
ON CONFLICT (session, site, type) DO UPDATE SET count = count + 1;
-- :group_add
INSERT INTO error_groups (fingerprint, handler, kind, type, rule, count,
  first_unix_ns, last_unix_ns, session, ref)
VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7, ?8)
ON CONFLICT (fingerprint) DO UPDATE SET count = count + 1,
  first_unix_ns = min(first_unix_ns, excluded.first_unix_ns),
  last_unix_ns = max(last_unix_ns, excluded.last_unix_ns),
  session = CASE WHEN excluded.last_unix_ns >= last_unix_ns
    THEN excluded.session ELSE session END,
  ref = CASE WHEN excluded.last_unix_ns >= last_unix_ns
    THEN excluded.ref ELSE ref END;

-- :rollup_get
SELECT histogram FROM rollups
WHERE trace = ?1 AND session = ?2 AND site = ?3;
-- :rollup_add
INSERT INTO rollups (trace, session, site, calls, errors, total_ns, self_ns,
  max_ns, cpu_ns, dropped_calls, histogram, slow_calls, cpu_unknown, top_ns,
  top_cpu_ns, dropped_top_ns, untimed_calls, loose_calls)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
  ?17, ?18)
ON CONFLICT (trace, session, site) DO UPDATE SET calls = calls + excluded.calls,
  errors = errors + excluded.errors, total_ns = total_ns + excluded.total_ns,
  self_ns = self_ns + excluded.self_ns, max_ns = max(max_ns, excluded.max_ns),
  cpu_ns = cpu_ns + excluded.cpu_ns,
  dropped_calls = dropped_calls + excluded.dropped_calls,
  histogram = excluded.histogram,
  slow_calls = slow_calls + excluded.slow_calls,
  cpu_unknown = cpu_unknown + excluded.cpu_unknown,
  top_ns = top_ns + excluded.top_ns,
  top_cpu_ns = top_cpu_ns + excluded.top_cpu_ns,
  dropped_top_ns = dropped_top_ns + excluded.dropped_top_ns,
  untimed_calls = untimed_calls + excluded.untimed_calls,
  loose_calls = loose_calls + excluded.loose_calls;

-- :loss_set
INSERT INTO losses (session, site, kind, count) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (session, site, kind) DO UPDATE SET count = excluded.count;
-- :loss_add
INSERT INTO losses (session, site, kind, count) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (session, site, kind) DO UPDATE SET count = count + excluded.count;

-- :version
PRAGMA user_version;
-- What became final, for the sinks: see 0004_sinks.sql.
-- :outbox_spans
INSERT INTO outbox (at_unix_ns, session, lo, hi) VALUES (?1, ?2, ?3, ?4);
-- :outbox_session
INSERT INTO outbox (at_unix_ns, session) VALUES (?1, ?2);
-- Traces that changed: those that ended and were quiet since ?3, those that go
-- on since ?4, those of session ?2; then forget that they did.
-- :outbox_traces
INSERT INTO outbox (at_unix_ns, trace, session)
SELECT ?1, d.trace, nullif(d.session, 0) FROM dirty d
WHERE (d.since <= ?3
       AND NOT EXISTS (SELECT 1 FROM traces t
                       WHERE t.trace = d.trace AND t.status = 'open'))
  OR d.since <= ?4 OR d.since > ?1 / 1000000000
  OR d.session = ?2
  OR d.trace IN (SELECT c.trace FROM contexts c WHERE c.session = ?2)
ORDER BY d.trace, d.session;
-- :dirty_done
DELETE FROM dirty AS d
WHERE (d.since <= ?3
       AND NOT EXISTS (SELECT 1 FROM traces t
                       WHERE t.trace = d.trace AND t.status = 'open'))
  OR d.since <= ?4 OR d.since > ?1 / 1000000000
  OR d.session = ?2
  OR d.trace IN (SELECT c.trace FROM contexts c WHERE c.session = ?2);
-- :dirty_left
SELECT 1 FROM dirty LIMIT 1;

-- :begin
BEGIN IMMEDIATE;
-- :commit
COMMIT;
