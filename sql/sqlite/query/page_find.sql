-- Calls of a trace with a text in their values or their error, in order of
-- start. Case is looked at, as `--where` does.
SELECT s.session, s.ref
FROM spans s
WHERE s.trace = :trace
  AND (instr(s.input, :text) > 0 OR instr(s.output, :text) > 0
       OR instr(s.attributes, :text) > 0 OR instr(s.error, :text) > 0)
ORDER BY s.start_unix_ns, s.session, s.ref
LIMIT :limit;
