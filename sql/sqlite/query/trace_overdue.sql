-- Spans of a trace that were overdue, in the order in which that was seen.
SELECT o.session, o.ref, o.at_unix_ns, o.limit_ns, o.detail, i.name, s.status,
       s.start_unix_ns, s.duration_ns
FROM spans s
JOIN overdue o ON o.session = s.session AND o.ref = s.ref
LEFT JOIN sites i ON i.session = s.session AND i.site = s.site
WHERE s.trace = :trace
ORDER BY o.session, o.ref;
