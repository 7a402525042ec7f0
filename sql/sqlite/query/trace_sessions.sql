-- Sessions that took part in a trace.
SELECT s.session, s.key, s.host, s.service, s.state, s.note, s.file
FROM sessions s
WHERE s.session IN (SELECT p.session FROM processes p WHERE p.trace = :trace
                    UNION SELECT t.session FROM traces t
                    WHERE t.trace = :trace);
