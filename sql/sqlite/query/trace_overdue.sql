-- Spans of a trace that were overdue, in the order in which that was seen.
SELECT o.session, o.ref, o.at_unix_ns, o.limit_ns, o.detail, i.name, s.status,
       s.start_unix_ns, s.duration_ns
FROM overdue o -- the outer loop: it has few rows, spans may have millions
CROSS JOIN spans s ON s.session = o.session AND s.ref = o.ref
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
WHERE o.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
  AND s.trace = :trace
ORDER BY o.session, o.ref;
