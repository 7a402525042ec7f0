-- As trace_spans.sql, without values: what a tree needs.
SELECT s.start_unix_ns, s.session, s.ref, s.parent_ref, s.site, s.process_idx,
       s.generation, s.duration_ns, s.self_ns, s.cpu_ns, s.queue_ns, s.status,
       s.ended_by, s.error, s.orphan, s.links
FROM spans s
WHERE s.trace = :trace
  AND (s.start_unix_ns, s.session, s.ref) >
      (:after_start, :after_session, :after_ref)
ORDER BY s.start_unix_ns, s.session, s.ref
LIMIT :limit;
