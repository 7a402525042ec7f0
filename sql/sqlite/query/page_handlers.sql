-- Totals by handler of the traces of a time, in order of their start.
SELECT t.start_unix_ns, i.name, r.calls, r.errors, r.total_ns, r.self_ns,
       r.max_ns, r.histogram
FROM traces t
JOIN rollups r ON r.trace = t.trace
JOIN sites i ON i.session = r.session AND i.site = r.site
WHERE t.start_unix_ns >= :since AND t.start_unix_ns < :until
  AND (:program IS NULL OR t.name = :program OR t.name GLOB :program
    OR EXISTS (SELECT 1 FROM processes q WHERE q.trace = t.trace
               AND (q.name = :program OR q.name GLOB :program)))
ORDER BY t.start_unix_ns;
