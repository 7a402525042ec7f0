-- The trace of a process that started at :since or later: what `run` waits
-- for. Ended: nothing of it is to come. Not the fork of a traced parent that it
-- was before its exec: that one is in its parent's session.
SELECT t.trace, t.trace_id,
       s.state <> 'live' OR (t.status <> 'open' AND p.status <> 'open'),
       s.state <> 'live'
FROM processes p
JOIN sessions s ON s.session = p.session
JOIN traces t ON t.trace = p.trace
WHERE p.pid = :pid AND p.parent_idx IS NULL AND p.start_unix_ns >= :since
ORDER BY p.start_unix_ns LIMIT 1;
