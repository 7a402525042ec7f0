-- Calls that are open now, of sessions that go on: overdue ones first, then the
-- oldest. Who calls another that is open, on its thread, is not the innermost.
SELECT t.trace_id, s.session, s.ref, i.name, p.name, p.pid, h.tid, h.name,
       s.start_unix_ns, i.overdue_ns, o.at_unix_ns IS NOT NULL,
       NOT EXISTS (SELECT 1 FROM span_rows c
                   WHERE c.session = s.session AND c.status = 'open'
                     AND c.parent_ref = s.ref AND c.ref >> 48 = s.ref >> 48),
       (SELECT j.name FROM span_rows u
        JOIN sites j ON j.session = u.session AND j.site = u.site
        WHERE u.session = s.session AND u.ref = s.parent_ref)
FROM sessions x
JOIN span_rows s INDEXED BY spans_open
  ON s.session = x.session AND s.status = 'open'
JOIN traces t ON t.trace = s.trace
JOIN sites i ON i.session = s.session AND i.site = s.site
LEFT JOIN processes p ON p.session = s.session AND p.idx = s.process_idx
LEFT JOIN threads h ON h.session = s.session AND h.lane = s.ref >> 48
  AND h.generation = s.generation
LEFT JOIN overdue o ON o.session = s.session AND o.ref = s.ref
WHERE x.state = 'live' AND p.status = 'open'
ORDER BY o.at_unix_ns IS NULL, s.start_unix_ns, s.ref
LIMIT :limit;
