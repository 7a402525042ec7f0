-- Sessions that took part in a trace, with what their part hangs from.
SELECT s.session, s.key, s.host, s.service, s.state, s.note, s.file,
       c.remote_parent, c.root_ref, s.resource
FROM contexts c JOIN sessions s ON s.session = c.session
WHERE c.trace = :trace
ORDER BY s.session, c.context;
