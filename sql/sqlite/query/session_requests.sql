-- Traces that handlers of a session began, the calls in all of its traces, and
-- how many of the former failed.
SELECT (SELECT count(*) FROM contexts c
        WHERE c.session = :session AND c.context > 0),
       (SELECT sum(r.calls) FROM rollups r WHERE r.session = :session),
       (SELECT count(*) FROM contexts c JOIN traces t USING (trace)
        WHERE c.session = :session AND c.context > 0 AND t.status = 'error');
