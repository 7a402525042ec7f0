-- The handlers around a span, outermost first, with itself.
WITH RECURSIVE up (ref, parent_ref, site, depth) AS (
  SELECT ref, parent_ref, site, 0 FROM spans
  WHERE session = :session AND ref = :ref
  UNION ALL
  SELECT s.ref, s.parent_ref, s.site, up.depth + 1 FROM spans s
  JOIN up ON s.session = :session AND s.ref = up.parent_ref
  WHERE up.depth < 256
)
SELECT i.name FROM up
LEFT JOIN sites i ON i.session = :session AND i.site = up.site
ORDER BY up.depth DESC;
