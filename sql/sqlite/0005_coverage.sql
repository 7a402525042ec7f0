-- What is seen: the report of check, stored with each session: declarations and
-- what became of them.

-- The declaration of a site as it was written, and its file: with the line it
-- tells one declaration from another.
ALTER TABLE sites ADD COLUMN declared TEXT;
ALTER TABLE sites ADD COLUMN manifest TEXT;
-- Calls of a bound site that cannot be seen ("2 inlined copies, dag.c:77 ..."),
-- "" when there are none, NULL when nobody knows (no debug information).
ALTER TABLE sites ADD COLUMN unseen TEXT;

-- slow("2s"): the limit of a handler, and its calls beyond it (of those that
-- left a record).
ALTER TABLE sites ADD COLUMN slow_ns INTEGER;
ALTER TABLE rollups ADD COLUMN slow_calls INTEGER NOT NULL DEFAULT 0;
