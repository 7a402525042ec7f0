-- The last switch of its session (`off`, `on`; from 1) that this pause is known from, NULL: it was seen at
-- the gate.
ALTER TABLE pauses ADD COLUMN switch INTEGER;
