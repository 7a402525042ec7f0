-- Processes that failed, as groups: those that ended last first.
WITH failed AS (
  SELECT p.*, p.start_unix_ns + coalesce(p.duration_ns, 0) AS end_unix_ns
  FROM processes p
  JOIN traces t ON t.trace = p.trace
  JOIN sessions s ON s.session = p.session
  WHERE p.status = 'error'
    AND t.start_unix_ns >= :since AND t.start_unix_ns < :until
    AND (:program IS NULL OR t.name = :program OR t.name GLOB :program
      OR EXISTS (SELECT 1 FROM processes q WHERE q.trace = t.trace
                 AND (q.name = :program OR q.name GLOB :program)))
  AND (:name IS NULL OR :name IN (p.name, t.name)
     OR p.name GLOB :name OR t.name GLOB :name)
    AND (:status IS NULL OR t.status = :status OR t.status GLOB :status)
    AND (:service IS NULL OR s.service = :service OR s.service GLOB :service)
    AND (:host IS NULL OR s.host = :host OR s.host GLOB :host)
    AND wanted(t.name, NULL, t.status, s.service, s.host, t.start_unix_ns,
      t.duration_ns)
    AND (:trace = 0 OR t.trace = :trace)
    AND (:pid < 0 OR p.pid = :pid)
), begun AS MATERIALIZED (
  SELECT name, ended_by, exit_code, signal, error_group,
         min(end_unix_ns) AS first
  FROM failed GROUP BY name, ended_by, exit_code, signal, error_group
), named AS MATERIALIZED (
  SELECT name, count(*) AS count FROM processes
  WHERE name IN (SELECT name FROM begun) GROUP BY name
)
SELECT p.name, p.ended_by, p.exit_code, p.signal, count(*),
       count(DISTINCT p.trace),
       b.first,
       max(p.end_unix_ns) AS last,
       n.count,
       -- the newest one: bare columns are those of the row that has max()
       p.session, p.idx, p.end_source,
       (SELECT count(*) FROM span_rows o INDEXED BY spans_unfinished
        WHERE o.trace = p.trace AND o.session = p.session
          AND o.process_idx = p.idx AND o.status = 'unfinished'),
       p.error, p.error_group
FROM failed p
JOIN begun b ON b.name = p.name AND b.ended_by IS p.ended_by
  AND b.exit_code IS p.exit_code AND b.signal IS p.signal
  AND b.error_group IS p.error_group
JOIN named n ON n.name = p.name
GROUP BY p.name, p.ended_by, p.exit_code, p.signal, p.error_group
ORDER BY last DESC, p.name;
