-- Traces, newest first, with the process that their root belongs to.
-- References with lane 0xffff (negative as int64) name a process: idx + 1.
SELECT t.trace, t.trace_id, t.session, t.name, t.start_unix_ns, t.duration_ns,
       t.status, t.root_ref, t.remote_parent,
       s.key, s.host, s.service, s.state, s.note,
       p.idx, p.pid, p.name, p.program, p.command, p.cpu_ns, p.peak_bytes,
       p.peak_is_lower_bound, p.status, p.ended_by, p.exit_code, p.signal,
       p.end_source,
       -- rollups hold what ended; where spans may have stayed open, count
       CASE WHEN p.ended_by = 'exit'
            THEN (SELECT sum(r.calls) FROM rollups r WHERE r.trace = t.trace)
            ELSE (SELECT count(*) FROM spans c WHERE c.trace = t.trace) +
                 (SELECT coalesce(sum(r.dropped_calls), 0) FROM rollups r
                  WHERE r.trace = t.trace) END,
       (SELECT sum(r.errors) FROM rollups r WHERE r.trace = t.trace),
       (SELECT sum(r.dropped_calls) FROM rollups r WHERE r.trace = t.trace)
FROM traces t
JOIN sessions s ON s.session = t.session
LEFT JOIN processes p ON p.session = t.session AND p.idx = coalesce(
    CASE WHEN t.root_ref < 0 THEN (t.root_ref & 0xffffffffffff) - 1
         ELSE (SELECT r.process_idx FROM spans r
               WHERE r.session = t.session AND r.ref = t.root_ref) END,
    (SELECT min(q.idx) FROM processes q WHERE q.trace = t.trace
                                         AND q.session = t.session), 0)
WHERE t.start_unix_ns >= :since AND t.start_unix_ns < :until
  AND t.trace_id >= :id_low AND t.trace_id <= :id_high
  AND (:program IS NULL OR p.name GLOB :program OR t.name GLOB :program)
  AND (:status IS NULL OR t.status = :status)
  AND (:service IS NULL OR s.service = :service)
  AND (:host IS NULL OR s.host = :host)
  AND (:pid < 0 OR EXISTS (SELECT 1 FROM processes q
                           WHERE q.trace = t.trace AND q.pid = :pid))
ORDER BY t.start_unix_ns DESC, t.trace DESC
LIMIT :limit OFFSET :offset;
