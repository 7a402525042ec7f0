-- Handlers of the sessions of a trace. That no object of a declaration was
-- there at the start (a site without address) is no news once one of its
-- functions is bound: its object came later. That more functions match than
-- are traced (bind_too_many) always is.
SELECT i.session, i.site, i.name, i.symbol, i.object, i.binding, i.shim,
       i.reason, i.address, i.build_id, i.declaration, i.is_root,
       i.slow_ns, i.declared, i.manifest, i.unseen,
       (SELECT count(*) FROM span_rows o INDEXED BY spans_open
        WHERE o.session = i.session AND o.site = i.site AND o.status = 'open'),
       i.file, i.line
FROM sites i
WHERE i.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
  AND NOT (i.binding = 'none' AND i.address IS NULL
    AND ifnull(instr(i.reason, ' functions match, more than '), 0) = 0
    AND EXISTS (
    SELECT 1 FROM sites b
    WHERE b.session = i.session AND b.declaration = i.declaration
      AND b.manifest IS i.manifest
      AND b.binding <> 'none'))
ORDER BY i.session, i.site;
