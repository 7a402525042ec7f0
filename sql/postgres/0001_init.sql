-- handspan in PostgreSQL 15, migration 1: tables, roles, row-level security.
-- InsForge: version "0001", name "handspan-init". One transaction, idempotent.
-- Runs as the owner of the schema; makes roles where it may, else says so.
--
-- Rows are only ever inserted. What may still change when it is sent (a trace
-- that runs, totals of a live process) is sent again with a larger `version`;
-- the views of migration 2 show the last one. No foreign keys: rows come in any
-- order. All *_ns are nanoseconds; *_unix_ns since 1970-01-01 UTC, exact, where
-- started_at is cut to microseconds, for people. Ids as W3C writes them: 32
-- and 16 small hex digits. `session` is the key of one exec image with its forks.
-- Columns of values (input, output, attributes, capture, error, program,
-- command) are empty unless the sink says values=on. They are json, not jsonb:
-- what came is kept byte for byte, 64-bit numbers whole.

-- Says that these tables are handspan's, and what makes a span the same one.
CREATE TABLE IF NOT EXISTS handspan_schema (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version   integer NOT NULL,
  spans_key text NOT NULL
);
INSERT INTO handspan_schema (version, spans_key)
VALUES (1, 'trace_id,span_id') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS spans (
  trace_id        text COLLATE "C" NOT NULL,
  span_id         text COLLATE "C" NOT NULL,
  parent_span_id  text COLLATE "C",
  process_span_id text COLLATE "C" NOT NULL,
  session         text COLLATE "C" NOT NULL,
  site            integer NOT NULL,
  name            text NOT NULL,
  symbol          text,
  object          text,
  service         text,
  host            text NOT NULL,
  program         text,
  pid             integer,
  tid             integer,
  thread_name     text,
  depth           integer NOT NULL,
  start_unix_ns   bigint NOT NULL,
  started_at      timestamptz NOT NULL GENERATED ALWAYS AS
    (to_timestamp((start_unix_ns / 1000)::float8 / 1e6)) STORED,
  duration_ns     bigint,
  self_ns         bigint,
  cpu_ns          bigint,
  queue_ns        bigint,
  status          text NOT NULL,
  ended_by        text,
  links           json,
  error_kind      text,
  error_type      text,
  error_errno     integer,
  error_fingerprint text COLLATE "C",
  input           json,
  output          json,
  attributes      json,
  capture         json,
  error           json,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX IF NOT EXISTS spans_by_start ON spans (start_unix_ns);
CREATE INDEX IF NOT EXISTS spans_by_name ON spans (name, start_unix_ns);
CREATE INDEX IF NOT EXISTS spans_failed ON spans (error_fingerprint,
  start_unix_ns) WHERE status = 'error';

CREATE TABLE IF NOT EXISTS traces (
  trace_id        text COLLATE "C" NOT NULL,
  session         text COLLATE "C" NOT NULL,
  version         bigint NOT NULL,
  root_span_id    text COLLATE "C",
  remote_parent_span_id text COLLATE "C",
  name            text NOT NULL,
  service         text,
  host            text NOT NULL,
  pid             integer,
  start_unix_ns   bigint NOT NULL,
  started_at      timestamptz NOT NULL GENERATED ALWAYS AS
    (to_timestamp((start_unix_ns / 1000)::float8 / 1e6)) STORED,
  duration_ns     bigint,
  status          text NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (trace_id, session, version)
);
CREATE INDEX IF NOT EXISTS traces_by_start ON traces (start_unix_ns);

CREATE TABLE IF NOT EXISTS processes (
  trace_id        text COLLATE "C" NOT NULL,
  span_id         text COLLATE "C" NOT NULL,
  version         bigint NOT NULL,
  parent_span_id  text COLLATE "C",
  session         text COLLATE "C" NOT NULL,
  name            text NOT NULL,
  service         text,
  host            text NOT NULL,
  pid             integer NOT NULL,
  start_unix_ns   bigint NOT NULL,
  started_at      timestamptz NOT NULL GENERATED ALWAYS AS
    (to_timestamp((start_unix_ns / 1000)::float8 / 1e6)) STORED,
  duration_ns     bigint,
  cpu_ns          bigint,
  peak_bytes      bigint,
  peak_is_lower_bound boolean,
  status          text NOT NULL,
  ended_by        text,
  exit_code       integer,
  signal          integer,
  end_source      text,
  program         text,
  command         json,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (trace_id, span_id, version)
);

CREATE TABLE IF NOT EXISTS sites (
  session         text COLLATE "C" NOT NULL,
  site            integer NOT NULL,
  version         bigint NOT NULL,
  name            text NOT NULL,
  symbol          text,
  object          text,
  binding         text NOT NULL,
  shim            text,
  reason          text,
  build_id        text,
  declaration     integer,
  is_root         boolean NOT NULL,
  service         text,
  host            text NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session, site, version)
);

CREATE TABLE IF NOT EXISTS rollups (
  trace_id        text COLLATE "C" NOT NULL,
  session         text COLLATE "C" NOT NULL,
  site            integer NOT NULL,
  version         bigint NOT NULL,
  name            text,
  calls           bigint NOT NULL,
  errors          bigint NOT NULL,
  total_ns        bigint NOT NULL,
  self_ns         bigint NOT NULL,
  max_ns          bigint NOT NULL,
  cpu_ns          bigint NOT NULL,
  dropped_calls   bigint NOT NULL,
  histogram       json NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (trace_id, session, site, version)
);

CREATE TABLE IF NOT EXISTS losses (
  session         text COLLATE "C" NOT NULL,
  site            integer NOT NULL,
  loss            text NOT NULL,
  version         bigint NOT NULL,
  name            text,
  count           bigint NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session, site, loss, version)
);

CREATE TABLE IF NOT EXISTS error_groups (
  fingerprint     text COLLATE "C" NOT NULL,
  session         text COLLATE "C" NOT NULL,
  version         bigint NOT NULL,
  trace_id        text COLLATE "C",
  kind            text,
  type            text,
  name            text,
  count           bigint NOT NULL,
  first_unix_ns   bigint,
  last_unix_ns    bigint,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (fingerprint, session, version)
);

-- Roles: the writer inserts and sees keys (ON CONFLICT DO NOTHING needs that),
-- the reader reads; anon and authenticated get nothing.
DO $$
DECLARE r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['handspan_writer', 'handspan_reader'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', r);
      EXCEPTION
        WHEN insufficient_privilege THEN
          RAISE NOTICE 'may not create role %: make it, then run this again', r;
        WHEN duplicate_object THEN NULL; -- another run was faster
      END;
    END IF;
  END LOOP;
END $$;

DO $$
DECLARE
  t text;
  key_columns text;
  is_writer boolean :=
    EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_writer');
  is_reader boolean :=
    EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_reader');
  other text;
BEGIN
  FOREACH t IN ARRAY ARRAY['spans', 'traces', 'processes', 'sites', 'rollups',
                           'losses', 'error_groups', 'handspan_schema'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    FOREACH other IN ARRAY ARRAY['anon', 'authenticated'] LOOP
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = other) THEN
        EXECUTE format('REVOKE ALL ON %I FROM %I', t, other);
      END IF;
    END LOOP;
    -- the columns of the primary key
    SELECT string_agg(quote_ident(a.attname), ', ') INTO key_columns
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = to_regclass(quote_ident(t)) AND i.indisprimary;
    IF t = 'handspan_schema' THEN
      key_columns := 'version, spans_key';
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS handspan_write ON %I', t);
    EXECUTE format('DROP POLICY IF EXISTS handspan_keys ON %I', t);
    EXECUTE format('DROP POLICY IF EXISTS handspan_read ON %I', t);
    IF is_writer THEN
      EXECUTE format('GRANT SELECT (%s) ON %I TO handspan_writer', key_columns,
                     t);
      EXECUTE format('CREATE POLICY handspan_keys ON %I FOR SELECT '
                     'TO handspan_writer USING (true)', t);
      IF t <> 'handspan_schema' THEN
        EXECUTE format('GRANT INSERT ON %I TO handspan_writer', t);
        EXECUTE format('CREATE POLICY handspan_write ON %I FOR INSERT '
                       'TO handspan_writer WITH CHECK (true)', t);
      END IF;
    END IF;
    IF is_reader THEN
      EXECUTE format('GRANT SELECT ON %I TO handspan_reader', t);
      EXECUTE format('CREATE POLICY handspan_read ON %I FOR SELECT '
                     'TO handspan_reader USING (true)', t);
    END IF;
  END LOOP;
END $$;
