-- Calls that are open now, of all traces, those that began first first.
SELECT t.trace_id, t.name, c.key, s.ref, i.name, s.start_unix_ns, p.pid, p.name,
       h.tid, h.name, v.input, i.overdue_ns,
       (SELECT o.at_unix_ns FROM overdue o
        WHERE o.session = s.session AND o.ref = s.ref),
       NOT EXISTS (SELECT 1 FROM span_rows b INDEXED BY spans_open
                   WHERE b.session = s.session AND b.status = 'open'
                     AND b.parent_ref = s.ref)
FROM span_rows s INDEXED BY spans_open
JOIN traces t ON t.trace = s.trace
JOIN sessions c ON c.session = s.session
JOIN spans v ON v.session = s.session AND v.ref = s.ref
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
LEFT JOIN processes p ON p.session = s.session AND p.idx = s.process_idx
LEFT JOIN threads h ON h.session = s.session AND h.lane = s.ref >> 48
  AND h.generation = s.generation
WHERE s.status = 'open'
ORDER BY s.start_unix_ns, s.session, s.ref
LIMIT :limit;
