-- A store that was deleted, or put back from an older copy, while a session
-- lived: what is missing of it is known at its end.

-- Spans of a lane that were stored in all.
ALTER TABLE lane_cursors ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
-- 1: something was given back to its lanes that is not in this store. Its loss
-- `lost_store` says how much.
ALTER TABLE sessions ADD COLUMN has_gap INTEGER NOT NULL DEFAULT 0;
