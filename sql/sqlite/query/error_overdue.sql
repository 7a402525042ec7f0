-- Groups of calls that were overdue, with the columns of error_groups.sql.
WITH matching AS (
  SELECT t.trace FROM traces t
  JOIN sessions s ON s.session = t.session
  WHERE t.start_unix_ns >= :since AND t.start_unix_ns < :until
    AND (:program IS NULL OR t.name = :program OR t.name GLOB :program
      OR EXISTS (SELECT 1 FROM processes q WHERE q.trace = t.trace
                 AND (q.name = :program OR q.name GLOB :program)))
    AND (:name IS NULL OR t.name = :name OR t.name GLOB :name)
    AND (:status IS NULL OR t.status = :status OR t.status GLOB :status)
    AND (:service IS NULL OR s.service = :service OR s.service GLOB :service)
    AND (:host IS NULL OR s.host = :host OR s.host GLOB :host)
    AND wanted(t.name, NULL, t.status, s.service, s.host, t.start_unix_ns,
      t.duration_ns)
    AND (:trace = 0 OR t.trace = :trace)
    AND (:pid < 0 OR EXISTS (SELECT 1 FROM processes q
                             WHERE q.trace = t.trace AND q.pid = :pid))
), seen AS (
  SELECT o.fingerprint, o.session, o.ref, o.detail, o.at_unix_ns, s.trace
  FROM overdue o -- has few rows, spans may have millions
  CROSS JOIN spans s ON s.session = o.session AND s.ref = o.ref
  WHERE :filtered = 0 OR s.trace IN (SELECT trace FROM matching)
), summed AS (
  -- bare columns are those of the row that has max()
  SELECT fingerprint, count(*) AS count, count(DISTINCT trace) AS traces,
         max(at_unix_ns) AS last, session, ref, detail
  FROM seen GROUP BY fingerprint
), begun AS (
  SELECT fingerprint, min(at_unix_ns) AS first FROM seen GROUP BY fingerprint
), wanted AS MATERIALIZED (
  SELECT DISTINCT handler FROM error_groups
  WHERE kind = 'overdue'
    AND fingerprint >= coalesce(:group, '')
    AND fingerprint < coalesce(:group, '') || 'g'
), called AS MATERIALIZED (
  -- calls of each handler: one pass, whatever the number of groups; of a group
  -- only over its handler's
  SELECT name, sum(calls) AS calls FROM (
    SELECT i.name, r.calls, r.trace FROM rollups r
      INDEXED BY sqlite_autoindex_rollups_1
    CROSS JOIN sites i ON i.session = r.session AND i.site = r.site
    WHERE :group IS NULL AND i.name IN (SELECT handler FROM wanted)
    UNION ALL
    SELECT i.name, r.calls, r.trace FROM sites i
    CROSS JOIN rollups r ON r.session = i.session AND r.site = i.site
    WHERE :group IS NOT NULL AND i.name IN (SELECT handler FROM wanted))
  WHERE :filtered = 0 OR trace IN (SELECT trace FROM matching)
  GROUP BY name
)
SELECT g.fingerprint, g.handler, g.kind, g.type, g.rule,
       CASE WHEN :filtered THEN n.count ELSE g.count END,
       coalesce(n.traces, 0),
       CASE WHEN :filtered THEN b.first ELSE g.first_unix_ns END,
       CASE WHEN :filtered THEN n.last ELSE g.last_unix_ns END,
       c.calls,
       n.session, n.ref, n.detail
FROM error_groups g
LEFT JOIN summed n ON n.fingerprint = g.fingerprint
LEFT JOIN begun b ON b.fingerprint = g.fingerprint
LEFT JOIN called c ON c.name = g.handler
WHERE g.kind = 'overdue' AND (:filtered = 0 OR n.count > 0)
  AND g.fingerprint >= coalesce(:group, '')
  AND g.fingerprint < coalesce(:group, '') || 'g';
