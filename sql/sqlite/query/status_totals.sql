-- The store in figures.
SELECT (SELECT count(*) FROM sessions),
       (SELECT count(*) FROM sessions WHERE state = 'live'),
       (SELECT count(*) FROM traces),
       (SELECT count(*) FROM traces WHERE status = 'open'),
       (SELECT coalesce(sum(calls), 0) FROM rollups),
       (SELECT coalesce(sum(dropped_calls), 0) FROM rollups),
       (SELECT min(start_unix_ns) FROM traces);
