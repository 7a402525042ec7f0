-- What the uploader runs (tools/upload/outbox), one statement under each
-- "-- :NAME". Reads are short transactions of a page each.

-- :begin
BEGIN IMMEDIATE;
-- :commit
COMMIT;
-- :rollback
ROLLBACK;

-- :sink_add
INSERT INTO sinks (name, added_unix_ns) VALUES (?1, ?2)
ON CONFLICT (name) DO NOTHING;
-- :sink_find
SELECT sink, cursor_seq, cursor_ref FROM sinks WHERE name = ?1;
-- :sink_move
UPDATE sinks SET cursor_seq = ?2, cursor_ref = ?3,
  sent_spans = sent_spans + ?4, sent_rows = sent_rows + ?5,
  rejected = rejected + ?6,
  ok_unix_ns = CASE WHEN ?5 > 0 THEN ?7 ELSE ok_unix_ns END, state = 'sending',
  error = CASE WHEN ?6 > 0 THEN error END,
  error_code = CASE WHEN ?6 > 0 THEN error_code END,
  error_unix_ns = CASE WHEN ?6 > 0 THEN error_unix_ns END,
  retry_unix_ns = NULL
WHERE sink = ?1;
-- :sink_state
UPDATE sinks SET state = ?2, error = coalesce(?3, error),
  error_code = coalesce(?4, error_code),
  error_unix_ns = coalesce(?5, error_unix_ns), retry_unix_ns = ?6
WHERE sink = ?1;

-- :refuse
INSERT INTO refused (sink, kind, key, session, ref, body, code, message,
  at_unix_ns)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (sink, kind, key) DO UPDATE SET code = excluded.code,
  message = excluded.message, at_unix_ns = excluded.at_unix_ns,
  body = excluded.body, tries = tries + 1, again = 0;
-- :again
SELECT refused, kind, body FROM refused WHERE sink = ?1 AND again = 1
ORDER BY refused LIMIT 1;
-- :again_done
DELETE FROM refused WHERE refused = ?1;
-- :again_refused
UPDATE refused SET again = 0, tries = tries + 1, code = ?2, message = ?3,
  at_unix_ns = ?4
WHERE refused = ?1;

-- :entry
SELECT seq, session, trace, lo, hi FROM outbox WHERE seq > ?1
ORDER BY seq LIMIT 1;

-- The version of a row that may change grows with each change, so that sending
-- it again unchanged is the same row.
-- From the rows below the view `spans`: an error is asked for a dozen times a
-- row, most have none, and the view would look for its text each time.
-- :spans
SELECT s.ref, s.parent_ref, s.process_idx, t.trace_id, e.key, s.site, p.pid,
  h.tid, s.depth, s.start_unix_ns, s.duration_ns, s.self_ns, s.cpu_ns,
  s.queue_ns, i.name, i.symbol, i.object, e.service, e.host, p.name, h.name,
  s.status, s.ended_by,
  CASE WHEN typeof(s.links) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(s.links AS INTEGER)) ELSE s.links END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'kind' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'type' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'fingerprint' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'errno' END,
  CASE WHEN typeof(s.input) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(s.input AS INTEGER)) ELSE s.input END,
  CASE WHEN typeof(s.output) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(s.output AS INTEGER)) ELSE s.output END,
  CASE WHEN typeof(s.attributes) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(s.attributes AS INTEGER)) ELSE s.attributes END,
  CASE WHEN typeof(s.capture) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(s.capture AS INTEGER)) ELSE s.capture END,
  CASE WHEN typeof(s.error) = 'blob' THEN x.body ELSE s.error END,
  CASE WHEN t.session = s.session AND t.root_ref = s.ref
    THEN t.remote_parent END,
  e.resource, s.orphan,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'rule' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> '$.cause.call' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> '$.cause.errno' END,
  CASE WHEN s.error IS NOT NULL AND json_valid(coalesce(x.body, s.error))
    THEN coalesce(x.body, s.error) ->> 'stack_ended' END,
  -- Of a frame only what the compiler knew, and base names of its files: no
  -- arguments, no locals, no paths. replace(x, rtrim(x, replace(x, '/', '')),
  -- '') is the base name.
  CASE WHEN s.error IS NOT NULL AND json_valid(CASE
      WHEN typeof(s.error) = 'blob' THEN x.body ELSE s.error END)
    THEN (SELECT json_group_array(json_object(
      'function', f.value ->> 'function',
      'file', replace(f.value ->> 'file',
        rtrim(f.value ->> 'file', replace(f.value ->> 'file', '/', '')), ''),
      'line', f.value ->> 'line',
      'object', replace(f.value ->> 'object', rtrim(f.value ->> 'object',
        replace(f.value ->> 'object', '/', '')), ''),
      'offset', f.value ->> 'offset', 'build_id', f.value ->> 'build_id'))
    FROM json_each(coalesce(x.body, s.error), CASE
      WHEN json_array_length(coalesce(x.body, s.error), '$.origin') > 0
      THEN '$.origin' ELSE '$.stack' END) f) END,
  i.file, i.line, i.is_root AND s.parent_ref = 0, o.at_unix_ns, o.limit_ns,
  CASE WHEN json_valid(o.detail) THEN (SELECT json_group_array(json_object(
      'function', f.value ->> 'function',
      'file', replace(f.value ->> 'file',
        rtrim(f.value ->> 'file', replace(f.value ->> 'file', '/', '')), ''),
      'line', f.value ->> 'line',
      'object', replace(f.value ->> 'object', rtrim(f.value ->> 'object',
        replace(f.value ->> 'object', '/', '')), ''),
      'offset', f.value ->> 'offset', 'build_id', f.value ->> 'build_id'))
    FROM json_each(o.detail, '$.stack') f) END
FROM span_rows s
JOIN sessions e ON e.session = s.session
JOIN traces t ON t.trace = s.trace
LEFT JOIN texts x ON x.text = CASE WHEN typeof(s.error) = 'blob'
  THEN CAST(s.error AS INTEGER) END
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
LEFT JOIN overdue o ON o.session = s.session AND o.ref = s.ref
LEFT JOIN processes p ON p.session = s.session AND p.idx = s.process_idx
LEFT JOIN threads h ON h.session = s.session AND h.lane = s.ref >> 48
  AND h.generation = s.generation
WHERE s.session = ?1 AND s.ref > ?2 AND s.ref <= ?3 AND s.status <> 'open'
ORDER BY s.ref LIMIT ?4;

-- :trace
SELECT t.trace_id, e.key, t.root_ref, t.remote_parent, ?2, t.start_unix_ns,
  t.duration_ns, p.pid, t.name, e.service, e.host, t.status
FROM traces t
JOIN sessions e ON e.session = t.session
LEFT JOIN processes p ON p.session = t.session AND p.idx = CASE
  WHEN t.root_ref < 0 THEN (t.root_ref & 0xffffffffffff) - 1
  ELSE (SELECT r.process_idx FROM spans r
        WHERE r.session = t.session AND r.ref = t.root_ref) END
WHERE t.trace = ?1;

-- :processes
SELECT p.idx, p.parent_idx, p.parent_ref, t.trace_id, e.key,
  p.status <> 'open', p.pid, p.start_unix_ns, p.duration_ns, p.cpu_ns,
  p.peak_bytes, p.peak_is_lower_bound, p.exit_code, p.signal, p.name,
  e.service, e.host, p.status, p.ended_by, p.end_source, p.program, p.command,
  CASE WHEN t.session = p.session AND p.parent_idx IS NULL
    THEN t.remote_parent ELSE (SELECT c.remote_parent FROM contexts c
      WHERE c.session = p.session AND c.context = 0
        AND p.parent_idx IS NULL) END,
  e.resource, p.lost, p.target, p.is_root, p.loading_ns
FROM processes p
JOIN sessions e ON e.session = p.session
JOIN traces t ON t.trace = p.trace
WHERE p.session = ?1 AND p.idx > ?2
ORDER BY p.idx LIMIT ?3;

-- :sites
SELECT i.site, e.key, i.binding <> 'none', i.declaration, i.is_root, i.name,
  i.symbol, i.binding, i.shim, i.build_id, e.service, e.host, i.object,
  i.reason, i.declared, i.manifest, i.unseen, i.slow_ns
FROM sites i
JOIN sessions e ON e.session = i.session
WHERE i.session = ?1 AND i.site > ?2
ORDER BY i.site LIMIT ?3;

-- :losses
SELECT l.site, l.kind, e.key, l.count, i.name
FROM losses l
JOIN sessions e ON e.session = l.session
LEFT JOIN sites i ON i.session = l.session AND i.site = l.site
WHERE l.session = ?1 AND (l.site, l.kind) > (?2, ?3) AND l.count > 0
ORDER BY l.site, l.kind LIMIT ?4;

-- Of a group what this session has of it: stores and machines add up there.
-- :errors
SELECT g.fingerprint, e.key, g.n, coalesce(o.handler, i.name), o.kind, o.type,
  o.rule, (SELECT f.start_unix_ns FROM spans f
    WHERE f.fingerprint = g.fingerprint AND f.session = ?1
    ORDER BY f.start_unix_ns LIMIT 1),
  g.last, t.trace_id, g.ref
FROM (SELECT fingerprint, count(*) AS n, max(start_unix_ns) AS last, ref
      FROM span_rows INDEXED BY spans_by_fingerprint
      WHERE fingerprint > ?2 AND fingerprint IS NOT NULL AND session = ?1
      GROUP BY fingerprint ORDER BY fingerprint LIMIT ?3) g
JOIN sessions e ON e.session = ?1
JOIN spans s ON s.session = ?1 AND s.ref = g.ref
JOIN traces t ON t.trace = s.trace
LEFT JOIN sites i ON i.session = ?1 AND i.site = s.site
LEFT JOIN error_groups o ON o.fingerprint = g.fingerprint
ORDER BY g.fingerprint;

-- :throws
SELECT x.site, x.type, e.key, x.count, i.name
FROM throws x
JOIN sessions e ON e.session = x.session
LEFT JOIN sites i ON i.session = x.session AND i.site = x.site
WHERE x.session = ?1 AND (x.site, x.type) > (?2, ?3)
ORDER BY x.site, x.type LIMIT ?4;

-- :rollups
SELECT r.site, t.trace_id, e.key, r.calls, r.errors, r.total_ns, r.self_ns,
  r.max_ns, r.cpu_ns, r.dropped_calls, i.name, r.histogram,
  r.slow_calls
FROM rollups r
JOIN sessions e ON e.session = r.session
JOIN traces t ON t.trace = r.trace
LEFT JOIN sites i ON i.session = r.session AND i.site = r.site
WHERE r.trace = ?1 AND r.session = ?2 AND r.site > ?3
ORDER BY r.site LIMIT ?4;

-- :uploads
SELECT k.sink, k.name, k.state, k.sent_spans, k.sent_rows, k.rejected,
  k.ok_unix_ns, k.error, k.error_code, k.error_unix_ns, k.retry_unix_ns,
  (SELECT coalesce(sum(CASE WHEN o.lo IS NULL THEN 0
      WHEN o.seq = k.cursor_seq + 1 AND k.cursor_ref IS NOT NULL
      THEN max(o.hi - k.cursor_ref, 0) ELSE o.hi - o.lo + 1 END), 0)
   FROM outbox o WHERE o.seq > k.cursor_seq),
  (SELECT min(o.at_unix_ns) FROM outbox o WHERE o.seq > k.cursor_seq),
  (SELECT count(*) FROM refused r WHERE r.sink = k.sink),
  (SELECT count(*) FROM outbox o WHERE o.seq > k.cursor_seq)
FROM sinks k ORDER BY k.sink;
-- :refused
SELECT r.refused, k.name, r.kind, r.key, r.code, r.message, r.at_unix_ns,
  r.tries, r.again, r.body
FROM refused r JOIN sinks k ON k.sink = r.sink ORDER BY r.refused;
-- :refused_again
UPDATE refused SET again = 1 WHERE refused = ?1 OR ?1 = 0;
-- :refused_drop
DELETE FROM refused WHERE refused = ?1 OR ?1 = 0;
-- :sink_drop
DELETE FROM sinks WHERE sink = ?1;
-- :sink_drop_refused
DELETE FROM refused WHERE sink = ?1;
