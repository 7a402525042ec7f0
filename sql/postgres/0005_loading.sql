-- handspan in PostgreSQL, migration 5: what a process did before its first
-- handler could run. InsForge: version "0005", name "handspan-loading". One
-- transaction, idempotent, from every earlier state. A server without it gets
-- all other columns.

-- From its exec until then; NULL: nobody knows when that was, or the row is of
-- a handspan or a schema before.
ALTER TABLE processes ADD COLUMN IF NOT EXISTS loading_ns bigint;

CREATE OR REPLACE VIEW handspan_processes WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id, span_id) * FROM processes
ORDER BY trace_id, span_id, version DESC;

UPDATE handspan_schema SET version = greatest(version, 5);
