-- What went wrong: stack context, causes and groups of errors.

-- A stack as names. The copy it was made from is never stored. hash: of the
-- code addresses in it (struct lane_frame_stack).
CREATE TABLE stacks (
  session INTEGER NOT NULL, hash INTEGER NOT NULL,
  frames  TEXT NOT NULL,              -- JSON array, innermost first; see docs
  ended   TEXT NOT NULL,              -- whole | truncated | lost | ...: why
                                      -- there is no frame above the last one
  PRIMARY KEY (session, hash)
) WITHOUT ROWID;

-- Frames that errors name as their origin (a THROW), by their place in the log. Only for the sidecar; goes with the session.
CREATE TABLE error_origins (
  session INTEGER NOT NULL, lane INTEGER NOT NULL, at INTEGER NOT NULL,
  kind    INTEGER NOT NULL, payload BLOB NOT NULL,
  PRIMARY KEY (session, lane, at)
) WITHOUT ROWID;

-- Exceptions that were thrown below a handler, also those that were caught
-- there and never seen again. site 0: below none.
CREATE TABLE throws (
  session INTEGER NOT NULL, site INTEGER NOT NULL,
  type    TEXT NOT NULL,              -- demangled
  count   INTEGER NOT NULL,
  PRIMARY KEY (session, site, type)
) WITHOUT ROWID;

ALTER TABLE spans ADD COLUMN fingerprint TEXT;  -- of its error, else NULL
CREATE INDEX spans_by_fingerprint ON spans (fingerprint, start_unix_ns)
  WHERE fingerprint IS NOT NULL;

-- Errors that are the same one, over all traces; exact, also where the spans
-- are gone. fingerprint: rule or type, handler, and the innermost frames of
-- the program's own objects by name.
CREATE TABLE error_groups (
  fingerprint TEXT PRIMARY KEY,
  handler TEXT NOT NULL,
  kind    TEXT NOT NULL,              -- rule | exception | signal
  type    TEXT,                       -- ENOENT, std::bad_alloc, SIGSEGV
  rule    TEXT,
  count   INTEGER NOT NULL,
  first_unix_ns INTEGER NOT NULL, last_unix_ns INTEGER NOT NULL,
  session INTEGER NOT NULL, ref INTEGER NOT NULL   -- the newest example
) WITHOUT ROWID;
