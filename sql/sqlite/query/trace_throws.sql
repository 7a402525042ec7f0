-- Exceptions that were thrown below handlers, by handler and type, also those
-- that were caught there; of a trace's sessions, or of all (:trace 0). They are
-- counted by session: of a session with several traces for all of them.
SELECT i.name, h.type, sum(h.count)
FROM throws h
LEFT JOIN sites i ON i.session = h.session AND i.site = h.site
WHERE :trace = 0
   OR h.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
GROUP BY i.name, h.type
ORDER BY sum(h.count) DESC, i.name, h.type;
