-- The trace of a process that started at :since or later: what `run` waits
-- for. Ended: nothing of it is to come.
SELECT t.trace, t.trace_id,
       s.state <> 'live' OR (t.status <> 'open' AND p.status <> 'open'),
       s.state <> 'live'
FROM processes p
JOIN sessions s ON s.session = p.session
JOIN traces t ON t.trace = p.trace
WHERE p.pid = :pid AND p.start_unix_ns >= :since
ORDER BY p.start_unix_ns LIMIT 1;
