-- The innermost spans that were open when a process ended, one for each
-- thread, and the process.
SELECT t.trace_id, s.key, p.start_unix_ns + p.duration_ns, p.pid,
       o.ref, i.name, o.input, h.tid, h.name
FROM processes p
JOIN sessions s ON s.session = p.session
LEFT JOIN traces t ON t.trace = p.trace
LEFT JOIN spans o ON o.trace = p.trace AND o.session = p.session
  AND o.process_idx = p.idx AND o.status = 'unfinished'
  AND NOT EXISTS (SELECT 1 FROM spans c
                  WHERE c.session = o.session AND c.parent_ref = o.ref
                    AND c.status = 'unfinished')
LEFT JOIN sites i ON i.session = o.session AND i.site = o.site
LEFT JOIN threads h ON h.session = o.session AND h.lane = o.ref >> 48
  AND h.generation = o.generation
WHERE p.session = :session AND p.idx = :idx
ORDER BY o.start_unix_ns
LIMIT 32;
