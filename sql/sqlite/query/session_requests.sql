-- Traces that handlers of a session began, and the calls in all of its traces.
SELECT (SELECT count(*) FROM contexts c
        WHERE c.session = :session AND c.context > 0),
       (SELECT sum(r.calls) FROM rollups r WHERE r.session = :session);
