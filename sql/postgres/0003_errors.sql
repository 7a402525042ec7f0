-- handspan in PostgreSQL, migration 3: what of errors, context and coverage the
-- local store has more. InsForge: version "0003", name "handspan-errors". One
-- transaction, idempotent, from every earlier state, also with `spans` that is
-- partitioned already. Columns and units: docs/querying.md.

-- Of errors what is no value: the rule's text, the call that failed first and
-- its errno, frames as function, base name of the file, line, object.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS error_rule text;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS error_cause text;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS error_cause_errno integer;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS error_frames json;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS error_stack_ended text;
-- Why the parent is not known; NULL: it is.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS orphan text;

-- A process whose trace ends with what it exec'ed: why; the file (a value).
ALTER TABLE processes ADD COLUMN IF NOT EXISTS lost text;
ALTER TABLE processes ADD COLUMN IF NOT EXISTS target text;
ALTER TABLE processes ADD COLUMN IF NOT EXISTS is_root boolean;

-- The report of check.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS declared text;
ALTER TABLE sites ADD COLUMN IF NOT EXISTS manifest text;
ALTER TABLE sites ADD COLUMN IF NOT EXISTS unseen text;
ALTER TABLE sites ADD COLUMN IF NOT EXISTS slow_ns bigint;
ALTER TABLE rollups ADD COLUMN IF NOT EXISTS slow_calls bigint;

-- A row is what one session has of a group.
ALTER TABLE error_groups ADD COLUMN IF NOT EXISTS rule text;
ALTER TABLE error_groups ADD COLUMN IF NOT EXISTS last_span_id text COLLATE "C";

CREATE TABLE IF NOT EXISTS throws (
  session         text COLLATE "C" NOT NULL,
  site            integer NOT NULL,
  type            text COLLATE "C" NOT NULL,
  version         bigint NOT NULL,
  name            text,
  count           bigint NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session, site, type, version)
);
CREATE INDEX IF NOT EXISTS spans_by_group ON spans (error_fingerprint)
  WHERE error_fingerprint IS NOT NULL;

-- The views of changed tables, once more: they show the new columns.
CREATE OR REPLACE VIEW handspan_processes WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id, span_id) * FROM processes
ORDER BY trace_id, span_id, version DESC;

CREATE OR REPLACE VIEW handspan_sites WITH (security_invoker = true) AS
SELECT DISTINCT ON (session, site) * FROM sites
ORDER BY session, site, version DESC;

CREATE OR REPLACE VIEW handspan_rollups WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id, session, site) * FROM rollups
ORDER BY trace_id, session, site, version DESC;

CREATE OR REPLACE VIEW handspan_error_groups WITH (security_invoker = true) AS
SELECT DISTINCT ON (fingerprint, session) * FROM error_groups
ORDER BY fingerprint, session, version DESC;

CREATE OR REPLACE VIEW handspan_throws WITH (security_invoker = true) AS
SELECT DISTINCT ON (session, site, type) * FROM throws
ORDER BY session, site, type, version DESC;

-- A row per group over all sessions: exact, also where the spans are gone.
CREATE OR REPLACE VIEW handspan_error_totals WITH (security_invoker = true) AS
SELECT fingerprint, min(kind) AS kind, min(type) AS type, min(rule) AS rule,
  min(name) AS name, sum(count)::bigint AS count,
  count(*)::bigint AS session_count, min(first_unix_ns) AS first_unix_ns,
  max(last_unix_ns) AS last_unix_ns,
  (array_agg(trace_id ORDER BY last_unix_ns DESC, session))[1] AS last_trace_id,
  (array_agg(last_span_id ORDER BY last_unix_ns DESC, session))[1]
    AS last_span_id
FROM handspan_error_groups GROUP BY fingerprint;

-- handspan stats: a row per handler of a trace, or of a time, service, host,
-- program. Times in ns; p50 and p95 within 3 %, all others exact. total_ns
-- counts the outermost call of a recursive handler, self_ns is without
-- children on the same thread; calls contains dropped_calls (in the totals
-- only) and unfinished ones, which count until their process ended.
CREATE OR REPLACE FUNCTION handspan_stats(
  trace text DEFAULT NULL, since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL, service text DEFAULT NULL,
  host text DEFAULT NULL, program text DEFAULT NULL)
RETURNS TABLE (name text, calls bigint, errors bigint, total_ns bigint,
  self_ns bigint, cpu_ns bigint, max_ns bigint, p50_ns bigint, p95_ns bigint,
  dropped_calls bigint, trace_count bigint)
LANGUAGE sql STABLE SECURITY INVOKER SET search_path FROM CURRENT AS $$
  WITH chosen AS (
    SELECT t.* FROM handspan_traces t
    WHERE (handspan_stats.trace IS NULL
           OR t.trace_id LIKE handspan_stats.trace || '%')
      AND (handspan_stats.since IS NULL OR t.start_unix_ns >=
           extract(epoch FROM handspan_stats.since) * 1000000000)
      AND (handspan_stats.until IS NULL OR t.start_unix_ns <
           extract(epoch FROM handspan_stats.until) * 1000000000)
      AND (handspan_stats.service IS NULL
           OR t.service = handspan_stats.service)
      AND (handspan_stats.host IS NULL OR t.host = handspan_stats.host)
      AND (handspan_stats.program IS NULL OR t.name = handspan_stats.program)
  ), totals AS (
    SELECT r.* FROM handspan_rollups r JOIN chosen USING (trace_id)
  ), summed AS (
    SELECT coalesce(r.name, '?') AS name, sum(r.calls) AS calls,
      sum(r.errors) AS errors, sum(r.total_ns) AS total_ns,
      sum(r.self_ns) AS self_ns, sum(r.cpu_ns) AS cpu_ns,
      max(r.max_ns) AS max_ns, sum(r.dropped_calls) AS dropped_calls,
      count(DISTINCT r.trace_id) AS trace_count
    FROM totals r GROUP BY 1
  ), buckets AS (
    SELECT coalesce(r.name, '?') AS name, b.key::integer AS bucket,
      sum(b.value::bigint) AS count
    FROM totals r, json_each_text(r.histogram) b GROUP BY 1, 2
  ), ranked AS (
    SELECT b.name, b.bucket,
      sum(b.count) OVER (PARTITION BY b.name ORDER BY b.bucket) AS upto,
      sum(b.count) OVER (PARTITION BY b.name) AS every
    FROM buckets b
  ), points AS (
    SELECT k.name,
      min(k.bucket) FILTER (WHERE upto >= floor((every * 50 + 99) / 100)) AS b50,
      min(k.bucket) FILTER (WHERE upto >= floor((every * 95 + 99) / 100)) AS b95
    FROM ranked k GROUP BY k.name
  ), still AS ( -- calls that did not end are in no rollup: until their process
    SELECT p.trace_id, p.span_id, p.session, p.process_span_id, p.tid, p.depth,
      p.name, greatest(coalesce(e.start_unix_ns + e.duration_ns,
        c.start_unix_ns + c.duration_ns) - p.start_unix_ns, 0) AS ns
    FROM spans p JOIN chosen c USING (trace_id)
    LEFT JOIN handspan_processes e
      ON e.trace_id = p.trace_id AND e.span_id = p.process_span_id
    WHERE p.duration_ns IS NULL
  ), loose AS (
    SELECT p.name, count(*) AS calls, max(p.ns) AS max_ns,
      sum(p.ns) FILTER (WHERE NOT EXISTS (SELECT 1 FROM still o
        WHERE o.session = p.session AND o.process_span_id = p.process_span_id
          AND o.tid = p.tid AND o.name = p.name AND o.depth < p.depth))
        AS total_ns,
      sum(greatest(p.ns
        - coalesce((SELECT sum(k.duration_ns) FROM spans k
            WHERE k.trace_id = p.trace_id AND k.parent_span_id = p.span_id
              AND k.tid = p.tid), 0)
        - coalesce((SELECT sum(o.ns) FROM still o JOIN spans k
              ON k.trace_id = o.trace_id AND k.span_id = o.span_id
            WHERE k.parent_span_id = p.span_id AND o.tid = p.tid), 0), 0))
        AS self_ns
    FROM still p GROUP BY p.name
  )
  SELECT coalesce(s.name, l.name),
    (coalesce(s.calls, 0) + coalesce(l.calls, 0))::bigint,
    coalesce(s.errors, 0)::bigint,
    (coalesce(s.total_ns, 0) + coalesce(l.total_ns, 0))::bigint,
    (coalesce(s.self_ns, 0) + coalesce(l.self_ns, 0))::bigint, s.cpu_ns::bigint,
    greatest(s.max_ns, l.max_ns)::bigint,
    least(handspan_bucket_ns(p.b50), s.max_ns)::bigint,
    least(handspan_bucket_ns(p.b95), s.max_ns)::bigint,
    coalesce(s.dropped_calls, 0)::bigint, coalesce(s.trace_count, 1)::bigint
  FROM summed s FULL JOIN loose l ON l.name = s.name
  LEFT JOIN points p ON p.name = coalesce(s.name, l.name)
  ORDER BY 5 DESC, 1
$$;

-- handspan errors: what fails alike, the most frequent first. Times unix ns. Of
-- the spans that are here, also those that a signal left without an end;
-- handspan_error_totals counts those that are gone too.
CREATE OR REPLACE FUNCTION handspan_errors(
  trace text DEFAULT NULL, since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL, service text DEFAULT NULL,
  host text DEFAULT NULL, program text DEFAULT NULL)
RETURNS TABLE (fingerprint text, kind text, type text, name text,
  count bigint, trace_count bigint, first_unix_ns bigint, last_unix_ns bigint,
  first_at timestamptz, last_at timestamptz, last_trace_id text,
  last_span_id text)
LANGUAGE sql STABLE SECURITY INVOKER SET search_path FROM CURRENT AS $$
  SELECT s.error_fingerprint, min(s.error_kind), min(s.error_type), s.name,
    count(*), count(DISTINCT s.trace_id), min(s.start_unix_ns),
    max(s.start_unix_ns), min(s.started_at), max(s.started_at),
    (array_agg(s.trace_id ORDER BY s.start_unix_ns DESC, s.span_id))[1],
    (array_agg(s.span_id ORDER BY s.start_unix_ns DESC, s.span_id))[1]
  FROM spans s
  WHERE s.error_fingerprint IS NOT NULL
    AND (handspan_errors.trace IS NULL
         OR s.trace_id LIKE handspan_errors.trace || '%')
    AND (handspan_errors.since IS NULL OR s.start_unix_ns >=
         extract(epoch FROM handspan_errors.since) * 1000000000)
    AND (handspan_errors.until IS NULL OR s.start_unix_ns <
         extract(epoch FROM handspan_errors.until) * 1000000000)
    AND (handspan_errors.service IS NULL
         OR s.service = handspan_errors.service)
    AND (handspan_errors.host IS NULL OR s.host = handspan_errors.host)
    AND (handspan_errors.program IS NULL
         OR s.program = handspan_errors.program)
  GROUP BY s.error_fingerprint, s.name
  ORDER BY 5 DESC, 8 DESC, 1
$$;

-- Retention, for the owner (pg_cron, or by hand): rows of traces that began
-- before `before`, and versions that a later one replaced. keep_failed keeps
-- traces that failed, with all their rows. Returns rows deleted.
CREATE OR REPLACE FUNCTION handspan_retain(before timestamptz,
  keep_failed boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql SECURITY INVOKER SET search_path FROM CURRENT
AS $$
DECLARE
  limit_ns bigint := extract(epoch FROM before) * 1000000000;
  n bigint; total bigint := 0;
BEGIN
  CREATE TEMP TABLE handspan_kept ON COMMIT DROP AS
    SELECT t.trace_id FROM handspan_traces t
    WHERE t.start_unix_ns >= limit_ns OR (keep_failed AND t.status = 'error');
  CREATE INDEX ON handspan_kept (trace_id);
  DELETE FROM spans s WHERE s.start_unix_ns < limit_ns
    AND NOT EXISTS (SELECT 1 FROM handspan_kept k WHERE k.trace_id = s.trace_id);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM rollups r WHERE NOT EXISTS
      (SELECT 1 FROM handspan_kept k WHERE k.trace_id = r.trace_id)
    AND r.received_at < before
    OR EXISTS (SELECT 1 FROM rollups o WHERE o.trace_id = r.trace_id
      AND o.session = r.session AND o.site = r.site AND o.version > r.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM processes p WHERE p.start_unix_ns < limit_ns AND NOT EXISTS
      (SELECT 1 FROM handspan_kept k WHERE k.trace_id = p.trace_id)
    OR EXISTS (SELECT 1 FROM processes o WHERE o.trace_id = p.trace_id
      AND o.span_id = p.span_id AND o.version > p.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM sites s WHERE s.received_at < before AND NOT EXISTS
      (SELECT 1 FROM rollups r WHERE r.session = s.session)
    OR EXISTS (SELECT 1 FROM sites o WHERE o.session = s.session
      AND o.site = s.site AND o.version > s.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM losses l WHERE l.received_at < before
    OR EXISTS (SELECT 1 FROM losses o WHERE o.session = l.session
      AND o.site = l.site AND o.loss = l.loss AND o.version > l.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM throws h WHERE h.received_at < before
    OR EXISTS (SELECT 1 FROM throws o WHERE o.session = h.session
      AND o.site = h.site AND o.type = h.type AND o.version > h.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM error_groups g WHERE g.last_unix_ns < limit_ns
    OR EXISTS (SELECT 1 FROM error_groups o WHERE o.fingerprint = g.fingerprint
      AND o.session = g.session AND o.version > g.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DELETE FROM traces t WHERE t.start_unix_ns < limit_ns AND NOT EXISTS
      (SELECT 1 FROM handspan_kept k WHERE k.trace_id = t.trace_id)
    OR EXISTS (SELECT 1 FROM traces o WHERE o.trace_id = t.trace_id
      AND o.session = t.session AND o.version > t.version);
  GET DIAGNOSTICS n = ROW_COUNT; total := total + n;
  DROP TABLE handspan_kept;
  RETURN total;
END $$;

DO $$
DECLARE
  t text;
  other text;
  is_writer boolean :=
    EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_writer');
  is_reader boolean :=
    EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_reader');
BEGIN
  ALTER TABLE throws ENABLE ROW LEVEL SECURITY;
  DROP POLICY IF EXISTS handspan_write ON throws;
  DROP POLICY IF EXISTS handspan_keys ON throws;
  DROP POLICY IF EXISTS handspan_read ON throws;
  FOREACH t IN ARRAY ARRAY['throws', 'handspan_throws', 'handspan_error_totals']
  LOOP
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    FOREACH other IN ARRAY ARRAY['anon', 'authenticated'] LOOP
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = other) THEN
        EXECUTE format('REVOKE ALL ON %I FROM %I', t, other);
      END IF;
    END LOOP;
    IF is_reader THEN
      EXECUTE format('GRANT SELECT ON %I TO handspan_reader', t);
    END IF;
  END LOOP;
  IF is_reader THEN
    CREATE POLICY handspan_read ON throws FOR SELECT TO handspan_reader
      USING (true);
  END IF;
  IF is_writer THEN
    GRANT SELECT (session, site, type, version) ON throws TO handspan_writer;
    GRANT INSERT ON throws TO handspan_writer;
    CREATE POLICY handspan_keys ON throws FOR SELECT TO handspan_writer
      USING (true);
    CREATE POLICY handspan_write ON throws FOR INSERT TO handspan_writer
      WITH CHECK (true);
  END IF;
  UPDATE handspan_schema SET version = greatest(version, 3);
END $$;
