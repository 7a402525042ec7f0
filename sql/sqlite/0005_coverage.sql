-- What is seen: the report of check, stored with each session: declarations and what became of them.

-- slow("2s"): the limit of a handler, and its calls beyond it (of those that
-- left a record).
ALTER TABLE sites ADD COLUMN slow_ns INTEGER;
ALTER TABLE rollups ADD COLUMN slow_calls INTEGER NOT NULL DEFAULT 0;
