-- Recording was off in a session (`handspan off`): from, until, as the sidecar
-- saw it. until NULL: it is.
CREATE TABLE pauses (
  session INTEGER NOT NULL,
  from_unix_ns INTEGER NOT NULL, until_unix_ns INTEGER,
  PRIMARY KEY (session, from_unix_ns)
) WITHOUT ROWID;
-- Calls of a handler that are open now.
CREATE INDEX spans_open ON span_rows (session, site) WHERE status = 'open';
CREATE TRIGGER session_gone AFTER DELETE ON sessions BEGIN
  DELETE FROM pauses WHERE session = old.session;
END;

-- A trace whose root is a handler: the root's own time and status, the last end
-- of what goes on for it elsewhere, and the last that failed.
ALTER TABLE traces ADD COLUMN root_end_unix_ns INTEGER;
ALTER TABLE traces ADD COLUMN root_status TEXT;
ALTER TABLE traces ADD COLUMN work_end_unix_ns INTEGER;
ALTER TABLE traces ADD COLUMN work_failed_unix_ns INTEGER;
