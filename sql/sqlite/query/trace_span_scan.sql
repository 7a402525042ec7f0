-- Spans of a session as they lie in the store, a stretch of them, each handed
-- to the function of tools/query/span_scan.c. (Without the + the index by
-- trace would be walked. Why a parent is not known stands behind all other
-- columns, and only where it was taken to be the process.)
SELECT span_seen(r.ref, r.parent_ref, r.site, r.start_unix_ns, r.duration_ns,
                 r.cpu_ns, r.queue_ns, r.status,
                 CASE WHEN r.status = 'error' THEN r.error END,
                 CASE WHEN r.parent_ref <= 0 THEN r.orphan END,
                 CASE WHEN r.status = 'unfinished' THEN r.ended_by END)
FROM span_rows r
WHERE r.session = :session AND r.ref >= :from AND r.ref <= :last
  AND +r.trace = :trace;
