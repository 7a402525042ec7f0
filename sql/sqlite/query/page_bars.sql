-- The calls of a trace as bars: when, where, below what; in order of start.
SELECT s.session, s.ref, s.parent_ref, s.site, s.process_idx, s.generation,
       s.start_unix_ns, s.duration_ns, s.self_ns, s.cpu_ns, s.status,
       (SELECT v.links FROM spans v
        WHERE s.links IS NOT NULL AND v.session = s.session AND v.ref = s.ref)
FROM span_rows s
WHERE s.trace = :trace
ORDER BY s.start_unix_ns, s.session, s.ref;
