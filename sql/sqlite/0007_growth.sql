-- What keeps the cost of retention in proportion to what it removes.

-- Of a trace that goes, of a session that goes.
CREATE INDEX outbox_by_trace ON outbox (trace, seq) WHERE trace IS NOT NULL;
CREATE INDEX outbox_by_session ON outbox (session, seq)
  WHERE session IS NOT NULL;
CREATE INDEX rollups_by_session ON rollups (session, site);

-- 1: its removal was begun and is not done yet.
ALTER TABLE tombstones ADD COLUMN is_begun INTEGER NOT NULL DEFAULT 0;
UPDATE tombstones SET is_begun = 1
WHERE reason <> 'outcome'
  AND EXISTS (SELECT 1 FROM traces t WHERE t.trace_id = tombstones.trace_id);
CREATE INDEX tombstones_begun ON tombstones (trace_id) WHERE is_begun;
