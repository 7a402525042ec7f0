-- A span that failed or was overdue as the example of its group, and how often its handler was
-- called and failed in this way in its trace.
SELECT t.trace, t.trace_id, s.key, p.parent_ref, i.name, p.start_unix_ns,
       p.error, p.input, p.output, p.attributes,
       (SELECT count(*) FROM spans x
        WHERE x.trace = p.trace AND x.fingerprint = p.fingerprint),
       (SELECT sum(r.calls) FROM rollups r
        JOIN sites j ON j.session = r.session AND j.site = r.site
        WHERE r.trace = p.trace AND j.name = i.name),
       o.detail, p.status, p.duration_ns,
       (SELECT count(*) FROM overdue y
        CROSS JOIN spans x ON x.session = y.session AND x.ref = y.ref
        WHERE x.trace = p.trace AND y.fingerprint = o.fingerprint)
FROM spans p
JOIN sessions s ON s.session = p.session
LEFT JOIN traces t ON t.trace = p.trace
LEFT JOIN sites i ON i.session = p.session AND i.site = p.site
LEFT JOIN overdue o ON o.session = p.session AND o.ref = p.ref
WHERE p.session = :session AND p.ref = :ref;
