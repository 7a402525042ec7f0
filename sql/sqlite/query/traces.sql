-- Traces, newest first, with the process that their root belongs to.
-- References with lane 0xffff (negative as int64) name a process: idx + 1.
SELECT t.trace, t.trace_id, t.session, t.name, t.start_unix_ns, t.duration_ns,
       t.status, t.root_ref, t.remote_parent,
       s.key, s.host, s.service, s.state, s.note,
       p.idx, p.pid, p.name, p.program, p.command, p.cpu_ns, p.peak_bytes,
       p.peak_is_lower_bound, p.status, d.ended_by, d.exit_code, d.signal,
       d.end_source,
       -- rollups hold what ended; where spans may have stayed open, count
       CASE WHEN p.ended_by = 'exit'
            THEN (SELECT sum(r.calls) FROM rollups r WHERE r.trace = t.trace)
            ELSE (SELECT count(*) FROM spans c WHERE c.trace = t.trace) +
                 (SELECT coalesce(sum(r.dropped_calls), 0) FROM rollups r
                  WHERE r.trace = t.trace) END,
       (SELECT sum(r.errors) FROM rollups r WHERE r.trace = t.trace),
       (SELECT sum(r.dropped_calls) FROM rollups r WHERE r.trace = t.trace),
       t.command_status,
       (SELECT count(*) FROM processes q WHERE q.trace = t.trace
          AND NOT (q.ended_by IS 'exec' AND q.lost IS NULL)),
       (SELECT count(*) FROM processes q INDEXED BY processes_failed
        WHERE q.trace = t.trace AND q.status = 'error'),
       -- of those that failed, if they ended alike
       (SELECT CASE WHEN count(DISTINCT coalesce(q.exit_code, -1) || ',' ||
          coalesce(q.signal, -1)) = 1 THEN max(q.exit_code) END
        FROM processes q INDEXED BY processes_failed
        WHERE q.trace = t.trace AND q.status = 'error'),
       (SELECT CASE WHEN count(DISTINCT coalesce(q.exit_code, -1) || ',' ||
          coalesce(q.signal, -1)) = 1 THEN max(q.signal) END
        FROM processes q INDEXED BY processes_failed
        WHERE q.trace = t.trace AND q.status = 'error'),
       p.loading_ns
FROM traces t
JOIN sessions s ON s.session = t.session
LEFT JOIN processes p ON p.session = t.session AND p.idx = coalesce(
    CASE WHEN t.root_ref < 0 THEN (t.root_ref & 0xffffffffffff) - 1
         ELSE (SELECT r.process_idx FROM spans r
               WHERE r.session = t.session AND r.ref = t.root_ref) END,
    (SELECT min(q.idx) FROM processes q WHERE q.trace = t.trace
                                         AND q.session = t.session), 0)
-- whose end is the trace's: the last root's, or of one that ended after all
-- others; the one that failed, if either did
LEFT JOIN processes d ON d.process = CASE WHEN t.root_ref < 0 THEN coalesce(
    (SELECT q.process FROM processes q
     WHERE q.trace = t.trace AND q.is_root AND q.status = t.status
     ORDER BY q.start_unix_ns + coalesce(q.duration_ns, 0) DESC,
       q.start_unix_ns DESC LIMIT 1),
    (SELECT q.process FROM processes q INDEXED BY processes_failed
     WHERE q.trace = t.trace AND q.status = 'error' AND t.status = 'error'
     ORDER BY q.start_unix_ns + coalesce(q.duration_ns, 0) DESC LIMIT 1),
    p.process) ELSE p.process END
WHERE t.start_unix_ns >= :since AND t.start_unix_ns < :until
  AND t.trace_id >= :id_low AND t.trace_id <= :id_high
  AND (:program IS NULL OR :program IN (p.name, t.name)
     OR p.name GLOB :program OR t.name GLOB :program
     OR (:first = 0 AND EXISTS (SELECT 1 FROM processes q
         WHERE q.trace = t.trace
           AND (q.name = :program OR q.name GLOB :program))))
  AND (:name IS NULL OR :name IN (p.name, t.name)
     OR p.name GLOB :name OR t.name GLOB :name)
  AND (:status IS NULL OR t.status = :status OR t.status GLOB :status)
  AND (:service IS NULL OR s.service = :service OR s.service GLOB :service)
  AND (:host IS NULL OR s.host = :host OR s.host GLOB :host)
  AND wanted(t.name, p.name, t.status, s.service, s.host, t.start_unix_ns,
    t.duration_ns)
  AND (:short = 0 OR EXISTS (SELECT 1 FROM rollups r
                             WHERE r.trace = t.trace AND r.dropped_calls > 0))
  AND (:pid < 0 OR EXISTS (SELECT 1 FROM processes q
                           WHERE q.trace = t.trace AND q.pid = :pid))
ORDER BY t.start_unix_ns DESC, t.trace DESC
LIMIT :limit OFFSET :offset;
