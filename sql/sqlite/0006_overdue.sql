-- overdue("30s"): spans that were open for longer, and where their thread was
-- when that was seen. How such a span ended stands in its own row.

CREATE TABLE overdue (
  session INTEGER NOT NULL, ref INTEGER NOT NULL,   -- of the span
  at_unix_ns INTEGER NOT NULL,        -- when it was looked at
  limit_ns   INTEGER NOT NULL,        -- the time that it had
  fingerprint TEXT NOT NULL,          -- of its group in error_groups
  detail     TEXT NOT NULL,           -- JSON as of an error, kind "overdue"
  PRIMARY KEY (session, ref)
) WITHOUT ROWID;
CREATE INDEX overdue_by_fingerprint ON overdue (fingerprint, at_unix_ns);

ALTER TABLE sites ADD COLUMN overdue_ns INTEGER;   -- the limit, NULL: none
