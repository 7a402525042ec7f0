-- For people and other programs (sqlite3, DuckDB, pandas): names instead of
-- numbers, ids in hex, times in ISO 8601 (UTC, nanoseconds). Read only.

CREATE VIEW named_traces AS
SELECT lower(hex(t.trace_id)) AS trace_id, t.name, s.service, s.host, t.status,
  strftime('%Y-%m-%dT%H:%M:%S', t.start_unix_ns / 1000000000, 'unixepoch') ||
    printf('.%09dZ', t.start_unix_ns % 1000000000) AS started_at,
  t.duration_ns, t.start_unix_ns, t.trace
FROM traces t JOIN sessions s ON s.session = t.session;

CREATE VIEW named_processes AS
SELECT lower(hex(t.trace_id)) AS trace_id, p.pid, p.name, p.program, p.command,
  p.status, p.ended_by, p.exit_code, p.signal,
  strftime('%Y-%m-%dT%H:%M:%S', p.start_unix_ns / 1000000000, 'unixepoch') ||
    printf('.%09dZ', p.start_unix_ns % 1000000000) AS started_at,
  p.duration_ns, p.cpu_ns, p.peak_bytes, p.loading_ns, p.start_unix_ns, p.trace,
  p.session, p.idx AS process_idx
FROM processes p JOIN traces t ON t.trace = p.trace;

-- `span` and `parent`: the same number names the same call of a session.
CREATE VIEW named_spans AS
SELECT lower(hex(t.trace_id)) AS trace_id, i.name, i.symbol, i.object,
  c.name AS program, c.pid, h.tid, h.name AS thread, s.depth, s.status,
  s.ended_by,
  strftime('%Y-%m-%dT%H:%M:%S', s.start_unix_ns / 1000000000, 'unixepoch') ||
    printf('.%09dZ', s.start_unix_ns % 1000000000) AS started_at,
  s.duration_ns, s.self_ns, s.cpu_ns, s.queue_ns, s.input, s.output,
  s.attributes, s.error, s.start_unix_ns, s.trace, s.session, s.ref AS span,
  CASE WHEN s.parent_ref > 0 THEN s.parent_ref END AS parent
FROM spans s
JOIN traces t ON t.trace = s.trace
JOIN sites i ON i.session = s.session AND i.site = s.site
LEFT JOIN processes c ON c.session = s.session AND c.idx = s.process_idx
LEFT JOIN threads h ON h.session = s.session AND h.lane = s.ref >> 48
  AND h.generation = s.generation;

-- A row for each handler of a trace, all processes together.
CREATE VIEW named_handlers AS
SELECT lower(hex(t.trace_id)) AS trace_id, t.name AS program, i.name,
  sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.top_ns) AS total_ns,
  sum(r.self_ns) AS self_ns, max(r.max_ns) AS max_ns,
  sum(r.dropped_calls) AS calls_without_span, t.start_unix_ns, t.trace
FROM rollups r
JOIN traces t ON t.trace = r.trace
JOIN sites i ON i.session = r.session AND i.site = r.site
GROUP BY t.trace, i.name;

CREATE VIEW named_errors AS
SELECT g.fingerprint, g.handler, g.kind, g.type, g.rule, g.count,
  strftime('%Y-%m-%dT%H:%M:%SZ', g.first_unix_ns / 1000000000, 'unixepoch')
    AS first_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', g.last_unix_ns / 1000000000, 'unixepoch')
    AS last_at,
  g.first_unix_ns, g.last_unix_ns
FROM error_groups g;
