-- Threads of the sessions of a trace.
SELECT h.session, h.lane, h.generation, h.process_idx, h.tid, h.name
FROM threads h
WHERE h.session IN (SELECT q.session FROM processes q WHERE q.trace = :trace
                    UNION SELECT t.session FROM traces t
                    WHERE t.trace = :trace)
ORDER BY h.session, h.lane, h.generation;
