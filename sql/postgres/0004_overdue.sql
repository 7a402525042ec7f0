-- handspan in PostgreSQL, migration 4: calls that were open for longer than
-- overdue("...") allows. InsForge: version "0004", name "handspan-overdue". One
-- transaction, idempotent, from every earlier state.

-- When it was seen, what it had, where its thread was then (frames as in
-- error_frames). NULL: it was not overdue. How it ended stands in its status.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS overdue_unix_ns bigint;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS overdue_limit_ns bigint;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS overdue_frames json;

UPDATE handspan_schema SET version = greatest(version, 4);
