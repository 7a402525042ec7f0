-- The first overdue call of the programs of a trace (:id), in whatever trace it
-- is: requests have traces of their own.
SELECT t.trace_id, i.name, o.detail
FROM overdue o -- the outer loop: it has few rows, spans may have millions
CROSS JOIN span_rows s ON s.session = o.session AND s.ref = o.ref
CROSS JOIN traces t ON t.trace = s.trace
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
WHERE o.session IN (SELECT c.session FROM traces r
                    JOIN contexts c ON c.trace = r.trace
                    WHERE r.trace_id = :id)
  AND o.at_unix_ns >= :since
ORDER BY o.at_unix_ns LIMIT 1;
