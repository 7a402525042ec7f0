-- What the totals of a handler need to be exact although detail is missing.

-- From here on cpu_ns is that of outermost activations, as total_ns is; of so
-- many of them it is not known. NULL: written before, cpu_ns is of nested ones as
-- well.
ALTER TABLE rollups ADD COLUMN cpu_unknown INTEGER;
-- Of calls with no handler around them on their thread.
ALTER TABLE rollups ADD COLUMN top_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN top_cpu_ns INTEGER NOT NULL DEFAULT 0;
-- The same, of calls without a record: their times are not in any span.
ALTER TABLE rollups ADD COLUMN dropped_top_ns INTEGER NOT NULL DEFAULT 0;
-- Calls that were counted without a time of their own.
ALTER TABLE rollups ADD COLUMN untimed_calls INTEGER NOT NULL DEFAULT 0;
-- Calls of which it is not known what is around or below them: total_ns and
-- self_ns are at most what they say.
ALTER TABLE rollups ADD COLUMN loose_calls INTEGER NOT NULL DEFAULT 0;
