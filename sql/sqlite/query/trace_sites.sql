-- Handlers of the sessions of a trace.
SELECT i.session, i.site, i.name, i.symbol, i.object, i.binding, i.shim,
       i.reason, i.address, i.build_id, i.declaration, i.is_root
FROM sites i
WHERE i.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
ORDER BY i.session, i.site;
