-- What goes on: programs that run, calls that are open, those that are overdue.
SELECT (SELECT count(*) FROM sessions x JOIN processes p USING (session)
        WHERE x.state = 'live' AND p.status = 'open'),
       (SELECT count(*) FROM sessions x JOIN span_rows s INDEXED BY spans_open
          ON s.session = x.session AND s.status = 'open'
        WHERE x.state = 'live'),
       (SELECT count(*) FROM sessions x
        JOIN overdue o ON o.session = x.session
        JOIN span_rows s ON s.session = o.session AND s.ref = o.ref
        WHERE x.state = 'live' AND s.status = 'open');
