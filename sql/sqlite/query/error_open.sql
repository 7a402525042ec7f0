-- The innermost spans that were open when a process ended, one for each
-- thread, and the process.
SELECT t.trace_id, s.key, p.start_unix_ns + p.duration_ns, p.pid,
       o.ref, i.name, x.input, h.tid, h.name, p.command
FROM processes p
JOIN sessions s ON s.session = p.session
LEFT JOIN traces t ON t.trace = p.trace
LEFT JOIN span_rows o INDEXED BY spans_unfinished
  ON o.trace = p.trace AND o.session = p.session
  AND o.process_idx = p.idx AND o.status = 'unfinished'
  AND NOT EXISTS (SELECT 1 FROM span_rows c INDEXED BY spans_unfinished
                  WHERE c.session = o.session AND c.process_idx = o.process_idx
                    AND c.parent_ref = o.ref
                    AND c.status = 'unfinished')
LEFT JOIN spans x ON x.session = o.session AND x.ref = o.ref
LEFT JOIN sites i ON i.session = o.session AND i.site = o.site
LEFT JOIN threads h ON h.session = o.session AND h.lane = o.ref >> 48
  AND h.generation = o.generation
WHERE p.session = :session AND p.idx = :idx
ORDER BY o.start_unix_ns
LIMIT 32;
