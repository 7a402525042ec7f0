-- One span with its values, with the columns of trace_spans.sql.
SELECT s.start_unix_ns, s.session, s.ref, s.parent_ref, s.site, s.process_idx,
       s.generation, s.duration_ns, s.self_ns, s.cpu_ns, s.queue_ns, s.status,
       s.ended_by, s.error, s.orphan, s.links, s.input, s.output, s.attributes,
       s.capture
FROM spans s
WHERE s.session = :session AND s.ref = :ref AND s.trace = :trace;
