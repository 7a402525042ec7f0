-- What the sessions of a trace lost.
SELECT l.kind, sum(l.count)
FROM losses l
WHERE l.session IN (SELECT q.session FROM processes q WHERE q.trace = :trace
                    UNION SELECT t.session FROM traces t
                    WHERE t.trace = :trace)
GROUP BY l.kind HAVING sum(l.count) > 0 ORDER BY l.kind;
