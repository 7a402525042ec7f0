-- Groups of errors of handlers, those seen last first. Without a filter the
-- counts are those of error_groups, which are exact also where spans are gone;
-- with one (:filtered) they are of the spans that are there.
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
  SELECT s.fingerprint, count(*) AS count, count(DISTINCT s.trace) AS traces,
         min(s.start_unix_ns) AS first, max(s.start_unix_ns) AS last
  FROM spans s
  WHERE s.fingerprint IS NOT NULL
    AND s.fingerprint >= coalesce(:group, '')
    AND s.fingerprint < coalesce(:group, '') || 'g'  -- they are hex
    AND (:filtered = 0 OR s.trace IN (SELECT trace FROM matching))
  GROUP BY s.fingerprint
), wanted AS MATERIALIZED (
  SELECT DISTINCT handler FROM error_groups
  WHERE kind <> 'overdue'
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
       CASE WHEN :filtered THEN n.first ELSE g.first_unix_ns END,
       CASE WHEN :filtered THEN n.last ELSE g.last_unix_ns END AS last,
       c.calls,
       e.session, e.ref, e.error
FROM error_groups g
LEFT JOIN seen n ON n.fingerprint = g.fingerprint
LEFT JOIN called c ON c.name = g.handler
LEFT JOIN spans e ON (e.session, e.ref) = (
    SELECT x.session, x.ref FROM spans x
    WHERE x.fingerprint = g.fingerprint
      AND (:filtered = 0 OR x.trace IN (SELECT trace FROM matching))
    ORDER BY x.start_unix_ns DESC LIMIT 1)
WHERE g.kind <> 'overdue' AND (:filtered = 0 OR n.count > 0)
  AND g.fingerprint >= coalesce(:group, '')
  AND g.fingerprint < coalesce(:group, '') || 'g'
ORDER BY last DESC, g.fingerprint;
