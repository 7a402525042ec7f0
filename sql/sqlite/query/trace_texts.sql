-- The captured value that most bytes of a trace's first calls are of.
WITH calls AS MATERIALIZED (
  SELECT s.session, s.site, s.input, s.output FROM spans s
  WHERE s.trace = :trace ORDER BY s.start_unix_ns LIMIT 10000),
parts AS (
  SELECT c.session, c.site, p.key, p.value FROM calls c, json_each(c.input) p
  WHERE p.type = 'text'
  UNION ALL
  SELECT c.session, c.site, p.key, p.value FROM calls c, json_each(c.output) p
  WHERE p.type = 'text'),
shares AS (
  SELECT i.name, p.key, sum(length(CAST(p.value AS BLOB))) AS bytes
  FROM parts p JOIN sites i ON i.session = p.session AND i.site = p.site
  GROUP BY i.name, p.key)
SELECT name, key, bytes, (SELECT sum(bytes) FROM shares),
       (SELECT count(*) FROM calls)
FROM shares WHERE bytes >= 100000 ORDER BY bytes DESC, name, key LIMIT 1;
