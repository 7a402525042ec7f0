-- The sessions of a trace; is_shared 1: others have spans in it, too.
SELECT m.session, EXISTS (SELECT 1 FROM contexts c
    WHERE c.session = m.session AND c.trace <> :trace) AS is_shared
FROM (SELECT session FROM contexts WHERE trace = :trace
      UNION SELECT session FROM rollups WHERE trace = :trace) m
ORDER BY m.session;
