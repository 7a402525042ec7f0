-- Threads of the sessions of a trace.
SELECT h.session, h.lane, h.generation, h.process_idx, h.tid, h.name
FROM threads h
WHERE h.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
ORDER BY h.session, h.lane, h.generation;
