-- Whose recording was off: a process of the session (`off PID`), NULL: all.
ALTER TABLE pauses ADD COLUMN process_idx INTEGER;
