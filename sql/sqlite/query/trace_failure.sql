-- What failed first in a trace: the call of a handler or the process that ended
-- first of all that failed. Of each group of errors its first call in the trace
-- stands for the others: there are few groups, and failed calls may be millions.
WITH of_handlers AS (
  SELECT s.session, s.site, s.error,
         s.start_unix_ns + coalesce(s.duration_ns, 0) AS end_unix_ns
  FROM traces t
  CROSS JOIN error_groups g
  CROSS JOIN spans s ON (s.session, s.ref) = (
    SELECT r.session, r.ref FROM span_rows r INDEXED BY spans_by_fingerprint
    WHERE r.fingerprint = g.fingerprint AND r.fingerprint IS NOT NULL
      AND r.start_unix_ns >= t.start_unix_ns
      AND r.start_unix_ns <= t.start_unix_ns +
        coalesce(t.duration_ns, 0x7fffffffffffffff - t.start_unix_ns)
      AND r.trace = t.trace
    ORDER BY r.start_unix_ns LIMIT 1)
  WHERE t.trace = :trace AND g.kind <> 'overdue'
  ORDER BY end_unix_ns LIMIT 1
), of_processes AS (
  SELECT q.name, q.error, q.exit_code, q.signal, q.idx,
         q.start_unix_ns + coalesce(q.duration_ns, 0) AS end_unix_ns
  FROM processes q INDEXED BY processes_failed
  WHERE q.trace = :trace AND q.status = 'error'
  ORDER BY end_unix_ns, q.process LIMIT 1
)
SELECT 0 AS is_process, i.name, h.error, NULL, NULL, NULL, h.end_unix_ns
FROM of_handlers h
LEFT JOIN sites i ON i.session = h.session AND i.site = h.site
UNION ALL
SELECT 1, name, error, exit_code, signal, idx, end_unix_ns FROM of_processes
ORDER BY end_unix_ns, is_process LIMIT 1;
