-- All losses by kind.
SELECT kind, sum(count) FROM losses
GROUP BY kind HAVING sum(count) > 0 ORDER BY kind;
