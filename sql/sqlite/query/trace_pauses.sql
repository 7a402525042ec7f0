-- When recording was off in the sessions of a trace, while it ran: of all, or of
-- a process of it until its end at most.
SELECT p.session, p.from_unix_ns,
  coalesce(p.until_unix_ns, q.start_unix_ns + q.duration_ns), q.pid
FROM pauses p
JOIN traces t ON t.trace = :trace
LEFT JOIN processes q ON q.session = p.session AND q.idx = p.process_idx
WHERE p.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
  AND (t.duration_ns IS NULL OR p.from_unix_ns < t.start_unix_ns + t.duration_ns)
  AND coalesce(p.until_unix_ns, t.start_unix_ns + 1) > t.start_unix_ns
ORDER BY p.from_unix_ns;
