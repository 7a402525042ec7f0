-- The store in figures, for tools/store/metrics.c.

-- :totals
SELECT (SELECT count(*) FROM traces),
  (SELECT count(*) FROM traces WHERE status = 'open'),
  (SELECT coalesce(sum(calls), 0) FROM rollups),
  (SELECT coalesce(sum(errors), 0) FROM rollups),
  (SELECT coalesce(sum(dropped_calls), 0) FROM rollups),
  (SELECT count(*) FROM sessions WHERE state = 'live'),
  (SELECT page_count FROM pragma_page_count) *
    (SELECT page_size FROM pragma_page_size);
-- :losses
SELECT kind, sum(count) FROM losses GROUP BY kind ORDER BY kind;
-- :sinks
SELECT k.name, k.state, k.sent_spans, k.rejected,
  (SELECT count(*) FROM refused r WHERE r.sink = k.sink),
  (SELECT count(*) FROM outbox o WHERE o.seq > k.cursor_seq),
  (SELECT min(o.at_unix_ns) FROM outbox o WHERE o.seq > k.cursor_seq),
  k.ok_unix_ns, k.error, k.error_code, k.error_unix_ns, k.retry_unix_ns
FROM sinks k ORDER BY k.sink;
-- :handlers
-- Of the newest 200 traces; handlers beyond the 200 that were called most are
-- one, "(others)". Calls by their time: the histogram's buckets from
-- (e - 3) * 16 on hold 2^e ns and more, so that these counts are exact.
WITH newest AS MATERIALIZED (
  SELECT trace FROM traces ORDER BY start_unix_ns DESC LIMIT 200
), called AS MATERIALIZED (
  SELECT p.name AS program, i.name AS handler, r.calls, r.errors, r.total_ns,
    r.histogram,
    (SELECT count(*) FROM overdue o
     CROSS JOIN span_rows s ON s.session = o.session AND s.ref = o.ref
     WHERE o.session = r.session AND s.site = r.site AND s.trace = r.trace)
      AS overdue
  FROM newest n
  CROSS JOIN rollups r ON r.trace = n.trace
  LEFT JOIN processes p ON p.session = r.session AND p.idx = 0
  LEFT JOIN sites i ON i.session = r.session AND i.site = r.site
), most AS MATERIALIZED (
  SELECT program, handler, sum(calls) AS calls, sum(errors) AS errors,
    sum(total_ns) AS total_ns, sum(overdue) AS overdue,
    row_number() OVER (ORDER BY sum(calls) DESC, program, handler) > 200
      AS is_other
  FROM called GROUP BY program, handler
), timed AS MATERIALIZED (
  SELECT c.program, c.handler, CAST(b.key AS INTEGER) AS bucket,
    sum(b.value) AS calls
  FROM called c CROSS JOIN json_each(c.histogram) b GROUP BY 1, 2, 3
), below AS MATERIALIZED (
  SELECT program, handler,
    sum(calls) FILTER (WHERE bucket < 112) AS e10,
    sum(calls) FILTER (WHERE bucket < 192) AS e15,
    sum(calls) FILTER (WHERE bucket < 272) AS e20,
    sum(calls) FILTER (WHERE bucket < 320) AS e23,
    sum(calls) FILTER (WHERE bucket < 352) AS e25,
    sum(calls) FILTER (WHERE bucket < 384) AS e27,
    sum(calls) FILTER (WHERE bucket < 432) AS e30,
    sum(calls) FILTER (WHERE bucket < 480) AS e33,
    sum(calls) FILTER (WHERE bucket < 528) AS e36,
    sum(calls) FILTER (WHERE bucket < 592) AS e40
  FROM timed GROUP BY program, handler
)
SELECT iif(m.is_other, '(others)', coalesce(m.program, '?')) AS of_program,
  iif(m.is_other, '(others)', coalesce(m.handler, '?')) AS of_handler,
  sum(m.calls), sum(m.errors), sum(m.overdue), sum(m.total_ns),
  sum(b.e10), sum(b.e15), sum(b.e20), sum(b.e23), sum(b.e25), sum(b.e27),
  sum(b.e30), sum(b.e33), sum(b.e36), sum(b.e40)
FROM most m
LEFT JOIN below b ON b.program IS m.program AND b.handler IS m.handler
GROUP BY of_program, of_handler ORDER BY 1, 2;
-- :programs
-- How the last trace of each program, of the newest 200, ended; of 100 programs.
WITH newest AS MATERIALIZED (
  SELECT name, status, root_ref, start_unix_ns, duration_ns FROM traces
  ORDER BY start_unix_ns DESC LIMIT 200
)
SELECT name, status = 'error', max(start_unix_ns) / 1000000000, duration_ns
FROM newest
WHERE status <> 'open' AND (root_ref IS NULL OR root_ref <= 0)
GROUP BY name ORDER BY max(start_unix_ns) DESC LIMIT 100;
