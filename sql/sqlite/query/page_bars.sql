-- The calls of a trace as bars: when, where, below what; in order of start.
SELECT s.session, s.ref, s.parent_ref, s.site, s.process_idx, s.generation,
       s.start_unix_ns, s.duration_ns, s.status,
       CASE WHEN s.links IS NOT NULL THEN
         (SELECT v.links FROM spans v
          WHERE v.session = s.session AND v.ref = s.ref) END
FROM span_rows s
WHERE s.trace = :trace
ORDER BY s.start_unix_ns, s.session, s.ref;
