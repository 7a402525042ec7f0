-- The way out: what is to be sent in which order, sinks with their cursors, rows
-- that a sink refused, tombstones of retention.

-- What became final, in the order in which it was committed. An entry is one of
--   session, lo, hi   spans: all of this session with lo <= ref <= hi
--   session           its processes, sites and losses, as they are now
--   trace             its row, as it is now
--   trace, session    its rollups and groups of errors of this session
-- Written in the transaction that stores what it names, so nothing is missing
-- and nothing is named before it is there. Postorder of a lane's calls makes
-- its references one run, so there are few entries and the path of a span pays
-- nothing. Kept as long as the rows, for sinks that come later; entries whose
-- rows are gone are skipped.
CREATE TABLE outbox (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at_unix_ns INTEGER NOT NULL,
  session    INTEGER,
  trace      INTEGER,
  lo INTEGER, hi INTEGER
);

-- Traces (session 0) and their rollups that changed since their last entry
-- above; since: unix seconds. (NOT EXISTS, since in a trigger the conflict
-- clause of the outer statement rules.)
CREATE TABLE dirty (
  trace INTEGER NOT NULL, session INTEGER NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (trace, session)
) WITHOUT ROWID;
CREATE TRIGGER trace_added AFTER INSERT ON traces BEGIN
  INSERT INTO dirty SELECT new.trace, 0, unixepoch() WHERE NOT EXISTS
    (SELECT 1 FROM dirty WHERE trace = new.trace AND session = 0);
END;
CREATE TRIGGER trace_changed AFTER UPDATE ON traces
WHEN new.session IS NOT old.session OR new.root_ref IS NOT old.root_ref
  OR new.name IS NOT old.name OR new.status IS NOT old.status
  OR new.start_unix_ns IS NOT old.start_unix_ns
  OR new.duration_ns IS NOT old.duration_ns BEGIN
  INSERT INTO dirty SELECT new.trace, 0, unixepoch() WHERE NOT EXISTS
    (SELECT 1 FROM dirty WHERE trace = new.trace AND session = 0);
END;
CREATE TRIGGER rollup_added AFTER INSERT ON rollups BEGIN
  INSERT INTO dirty SELECT new.trace, new.session, unixepoch() WHERE NOT EXISTS
    (SELECT 1 FROM dirty WHERE trace = new.trace AND session = new.session);
END;
CREATE TRIGGER rollup_changed AFTER UPDATE ON rollups BEGIN
  INSERT INTO dirty SELECT new.trace, new.session, unixepoch() WHERE NOT EXISTS
    (SELECT 1 FROM dirty WHERE trace = new.trace AND session = new.session);
END;

-- A sink and how far it came: everything up to cursor_seq, and of the next
-- entry (spans) what is up to cursor_ref, was acknowledged or set aside in
-- `refused`. Moves in one transaction with the rows set aside.
CREATE TABLE sinks (
  sink        INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,     -- its URL without credentials
  cursor_seq  INTEGER NOT NULL DEFAULT 0,
  cursor_ref  INTEGER,                  -- NULL: nothing of the next entry yet
  state       TEXT NOT NULL DEFAULT 'new',
              -- new | sending | idle (all is sent) | retrying | held
  sent_spans  INTEGER NOT NULL DEFAULT 0,
  sent_rows   INTEGER NOT NULL DEFAULT 0,   -- of all kinds, spans too
  rejected    INTEGER NOT NULL DEFAULT 0,   -- by partial success: given up
  added_unix_ns INTEGER NOT NULL,
  ok_unix_ns    INTEGER,                -- last acknowledged upload
  error         TEXT,                   -- last error, and when; NULL: none
  error_code    TEXT,
  error_unix_ns INTEGER,
  retry_unix_ns INTEGER                 -- when it is tried again
);

-- Rows that a sink refuses for what is in them. The span itself is in `spans`;
-- `body` is what was sent of it, so that it can be sent again, also when
-- retention took the span. again 1: `handspan uploads --again` asked for it.
CREATE TABLE refused (
  refused    INTEGER PRIMARY KEY,
  sink       INTEGER NOT NULL,
  kind       TEXT NOT NULL,             -- spans | traces | ...
  key        TEXT NOT NULL,             -- for people: its ids
  session    INTEGER, ref INTEGER,      -- of a span
  body       TEXT NOT NULL,
  code       TEXT NOT NULL, message TEXT NOT NULL,
  at_unix_ns INTEGER NOT NULL,
  tries      INTEGER NOT NULL DEFAULT 1,
  again      INTEGER NOT NULL DEFAULT 0,
  UNIQUE (sink, kind, key)
);

-- Traces that were taken out (prune, delete): what still comes of them is not
-- kept, and status can say how much went.
CREATE TABLE tombstones (
  trace_id   BLOB PRIMARY KEY,          -- 16 bytes
  at_unix_ns INTEGER NOT NULL,
  reason     TEXT NOT NULL,             -- age | size | outcome | deleted
  spans      INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- OTEL_RESOURCE_ATTRIBUTES of the process, as it stands: for OTLP.
ALTER TABLE sessions ADD COLUMN resource TEXT;

-- What is in the store already.
INSERT INTO outbox (at_unix_ns, session, lo, hi)
  SELECT unixepoch() * 1000000000, session, min(ref), max(ref) FROM spans
  WHERE status <> 'open' GROUP BY session, ref >> 48;
INSERT INTO outbox (at_unix_ns, session)
  SELECT unixepoch() * 1000000000, session FROM sessions;
INSERT INTO outbox (at_unix_ns, trace)
  SELECT unixepoch() * 1000000000, trace FROM traces;
INSERT INTO outbox (at_unix_ns, trace, session)
  SELECT DISTINCT unixepoch() * 1000000000, trace, session FROM rollups;
