-- The store: one SQLite file, one writer (the sidecar), readers in short
-- transactions. WAL. No foreign key between spans and traces: either may come
-- first. All *_ns are nanoseconds; *_unix_ns since 1970-01-01 UTC, exact.
-- Applied when user_version is 0; migrations are append-only.

-- A session: one exec image and its forked descendants.
CREATE TABLE sessions (
  session      INTEGER PRIMARY KEY,   -- small number, for the other tables
  key          BLOB NOT NULL UNIQUE,  -- 8 bytes: derives span ids
  file         TEXT NOT NULL,         -- name of the lane file
  host         TEXT NOT NULL,
  boot_id      TEXT NOT NULL,
  service      TEXT,                  -- OTEL_SERVICE_NAME, else NULL
  state        TEXT NOT NULL,         -- live | ended
  created_unix_ns INTEGER NOT NULL,
  note         TEXT                   -- what the run said of itself
);

-- How far each lane was drained; moves in the transaction that stores the batch.
CREATE TABLE lane_cursors (
  session INTEGER NOT NULL, lane INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  PRIMARY KEY (session, lane)
) WITHOUT ROWID;

-- What was drained of spans whose record is still to come: frames (kind: enum
-- lane_frame_kind) and what their children took (kind 0). For the sidecar
-- that goes on after this one was killed; not for views.
CREATE TABLE open_frames (
  session INTEGER NOT NULL, ref INTEGER NOT NULL, kind INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (session, ref, kind)
) WITHOUT ROWID;

-- The counters (struct lane_counter) as far as they are in rollups and losses.
-- Also only for the sidecar.
CREATE TABLE counter_cursors (
  session INTEGER NOT NULL, site INTEGER NOT NULL, counter BLOB NOT NULL,
  PRIMARY KEY (session, site)
) WITHOUT ROWID;

-- Contexts of a session: which trace its spans belong to. Several sessions may
-- be in one trace (TRACEPARENT, exec).
CREATE TABLE contexts (
  session INTEGER NOT NULL, context INTEGER NOT NULL,  -- index; 0: processes
  trace   INTEGER NOT NULL,
  remote_parent BLOB,                 -- 8 bytes: span id in TRACEPARENT; may
                                      -- be of another session here
  root_ref INTEGER,                   -- of a [[root]] span
  PRIMARY KEY (session, context)
) WITHOUT ROWID;
CREATE INDEX contexts_by_trace ON contexts (trace);

-- A process of a session; also the root span of its trace.
CREATE TABLE processes (
  process    INTEGER PRIMARY KEY,
  session    INTEGER NOT NULL, idx INTEGER NOT NULL,
  trace      INTEGER NOT NULL,
  pid        INTEGER NOT NULL, parent_idx INTEGER, parent_ref INTEGER,
  name       TEXT NOT NULL,           -- basename of the program
  program    TEXT,                    -- /proc/PID/exe
  command    TEXT,                    -- JSON array of argv; stays local
  start_unix_ns INTEGER NOT NULL, duration_ns INTEGER,
  cpu_ns     INTEGER, peak_bytes INTEGER,
  peak_is_lower_bound INTEGER NOT NULL DEFAULT 0,
  status     TEXT NOT NULL,           -- ok | error | unfinished | open
  ended_by   TEXT,                    -- exit | signal | exec | killed | unknown
  exit_code  INTEGER, signal INTEGER,
  end_source TEXT,                    -- marker | reaper | pidfd | NULL
  UNIQUE (session, idx)
);

CREATE TABLE traces (
  trace      INTEGER PRIMARY KEY,
  trace_id   BLOB NOT NULL UNIQUE,    -- 16 bytes
  session    INTEGER NOT NULL,        -- of the root: the one that started
  context    INTEGER NOT NULL,        -- first, with its index there
  remote_parent BLOB,                 -- 8 bytes: the root's, from TRACEPARENT
  flags      INTEGER NOT NULL DEFAULT 0,
  name       TEXT NOT NULL,           -- of the root
  root_ref   INTEGER,                 -- reference of the root: of a process
                                      -- 0xffff << 48 | idx + 1
  start_unix_ns INTEGER NOT NULL,
  duration_ns INTEGER,                -- NULL while it runs
  status     TEXT NOT NULL            -- ok | error | unfinished | open
);
CREATE INDEX traces_by_start ON traces (start_unix_ns);

CREATE TABLE threads (
  session INTEGER NOT NULL, lane INTEGER NOT NULL, generation INTEGER NOT NULL,
  process_idx INTEGER NOT NULL, tid INTEGER NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (session, lane, generation)
) WITHOUT ROWID;

CREATE TABLE sites (
  session INTEGER NOT NULL, site INTEGER NOT NULL,
  name    TEXT NOT NULL, symbol TEXT, object TEXT,
  binding TEXT NOT NULL,              -- entry | slots | none
  shim    TEXT,                       -- frame | zero-copy
  reason  TEXT, address INTEGER, build_id TEXT,
  declaration INTEGER, is_root INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (session, site)
) WITHOUT ROWID;

-- One call of a handler. ref = lane << 48 | counter grows with time in a lane;
-- the W3C span id is derived: handspan_span_id(key, ref). SQLite's integers are
-- signed: lanes are below 2^15, references of processes are negative. A
-- process has no row here: it stands in `processes`, spans whose parent_ref is
-- negative are its children.
CREATE TABLE spans (
  session     INTEGER NOT NULL,
  ref         INTEGER NOT NULL,
  trace       INTEGER NOT NULL,       -- traces.trace
  parent_ref  INTEGER NOT NULL,       -- in the same session; 0: none
  site        INTEGER NOT NULL,
  process_idx INTEGER NOT NULL,
  generation  INTEGER NOT NULL,       -- with ref's lane: the thread
  depth       INTEGER NOT NULL,
  start_unix_ns INTEGER NOT NULL,
  duration_ns INTEGER,                -- NULL: unfinished or open
  self_ns     INTEGER,                -- without children on the same thread
  cpu_ns      INTEGER,
  queue_ns    INTEGER,
  status      TEXT NOT NULL,          -- ok | error | unfinished | open
  ended_by    TEXT,                   -- return | exception | longjmp | cancel |
                                      -- exit | exec | signal | killed | unknown
  input       TEXT, output TEXT, attributes TEXT,   -- JSON objects
  capture     TEXT,                   -- JSON: {key: {bytes, truncated, ...}}
  error       TEXT,                   -- JSON, see docs
  links       TEXT,                   -- JSON array
  PRIMARY KEY (session, ref)
) WITHOUT ROWID;
CREATE INDEX spans_by_trace ON spans (trace, start_unix_ns);

-- Exact totals per trace and handler: stored spans + calls whose detail was
-- dropped (dropped_calls of calls; they are in the trace of the session's
-- process, and have no self_ns and cpu_ns). total_ns counts the outermost
-- activation of a recursive handler, calls and self_ns all. histogram: JSON {bucket: count}, 16 buckets
-- an octave of nanoseconds.
CREATE TABLE rollups (
  trace INTEGER NOT NULL, session INTEGER NOT NULL, site INTEGER NOT NULL,
  calls INTEGER NOT NULL, errors INTEGER NOT NULL,
  total_ns INTEGER NOT NULL, self_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,
  cpu_ns INTEGER NOT NULL, dropped_calls INTEGER NOT NULL,
  histogram TEXT NOT NULL,
  PRIMARY KEY (trace, session, site)
) WITHOUT ROWID;

-- What is missing, and how much of it: kind is one of lost_records (calls that
-- are in the totals only), lost_captures, over_deep, lost_threads, lost_calls,
-- lost_contexts, lost_sites, lost_strings, lost_processes, hook_faults,
-- corrupt_items, clock_steps. site 0: of the whole session.
CREATE TABLE losses (
  session INTEGER NOT NULL, site INTEGER NOT NULL DEFAULT 0,
  kind TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (session, site, kind)
) WITHOUT ROWID;
