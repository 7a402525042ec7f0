-- What a bar needs of the calls of a session, a stretch of them as they lie in
-- the store; see trace_span_scan.sql.
SELECT span_seen(r.ref, r.parent_ref, r.site, r.start_unix_ns, r.duration_ns,
                 NULL, NULL, r.status, NULL, NULL, NULL, r.process_idx,
                 r.generation,
                 CASE WHEN r.links IS NOT NULL THEN
                   (SELECT v.links FROM spans v
                    WHERE v.session = r.session AND v.ref = r.ref) END)
FROM span_rows r
WHERE r.session = :session AND r.ref >= :from AND r.ref <= :last
  AND +r.trace = :trace;
