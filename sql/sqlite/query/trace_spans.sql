-- A page of the spans of a trace with their values, in order of start.
SELECT s.start_unix_ns, s.session, s.ref, s.parent_ref, s.site, s.process_idx,
       s.generation, s.duration_ns, s.self_ns, s.cpu_ns, s.queue_ns, s.status,
       s.ended_by, s.error, s.orphan, s.links, s.input, s.output, s.attributes,
       s.capture, s.depth
FROM spans s
WHERE s.trace = :trace
  AND (s.start_unix_ns, s.session, s.ref) >
      (:after_start, :after_session, :after_ref)
ORDER BY s.start_unix_ns, s.session, s.ref
LIMIT :limit;
