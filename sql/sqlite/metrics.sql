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
