-- What the sessions of a trace lost.
SELECT l.kind, sum(l.count)
FROM losses l
WHERE l.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
GROUP BY l.kind HAVING sum(l.count) > 0 ORDER BY l.kind;
