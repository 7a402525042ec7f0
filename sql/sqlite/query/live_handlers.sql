-- Handlers of sessions that go on, in figures since their start.
SELECT i.name, sum(r.calls), sum(r.errors), sum(r.self_ns), max(r.max_ns),
       min(x.created_unix_ns)
FROM sessions x
JOIN rollups r INDEXED BY rollups_by_session ON r.session = x.session
JOIN sites i ON i.session = r.session AND i.site = r.site
WHERE x.state = 'live'
GROUP BY i.name ORDER BY sum(r.self_ns) DESC, i.name LIMIT :limit;
