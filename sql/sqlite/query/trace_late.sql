-- How many calls of a trace were overdue, and the first of them.
SELECT count(*), i.name, o.detail, min(o.at_unix_ns)
FROM overdue o -- the outer loop: it has few rows, spans may have millions
CROSS JOIN span_rows s ON s.session = o.session AND s.ref = o.ref
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
WHERE o.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
  AND s.trace = :trace;
