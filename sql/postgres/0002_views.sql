-- handspan in PostgreSQL, migration 2: what to query. Views show the last
-- version of a row and run with the rights of who asks; functions are callable
-- as /rpc/NAME. InsForge: version "0002", name "handspan-views". One
-- transaction, idempotent. Columns and units: docs/querying.md.

CREATE OR REPLACE VIEW handspan_traces WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id) trace_id, session, version, root_span_id,
  remote_parent_span_id, name, service, host, pid, start_unix_ns, started_at,
  duration_ns, status, duration_ns / 1e6 AS duration_ms
FROM (SELECT DISTINCT ON (trace_id, session) * FROM traces
      ORDER BY trace_id, session, version DESC) AS latest
ORDER BY trace_id, start_unix_ns, session;

CREATE OR REPLACE VIEW handspan_processes WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id, span_id) * FROM processes
ORDER BY trace_id, span_id, version DESC;

CREATE OR REPLACE VIEW handspan_sites WITH (security_invoker = true) AS
SELECT DISTINCT ON (session, site) * FROM sites
ORDER BY session, site, version DESC;

CREATE OR REPLACE VIEW handspan_rollups WITH (security_invoker = true) AS
SELECT DISTINCT ON (trace_id, session, site) * FROM rollups
ORDER BY trace_id, session, site, version DESC;

CREATE OR REPLACE VIEW handspan_losses WITH (security_invoker = true) AS
SELECT DISTINCT ON (session, site, loss) * FROM losses
ORDER BY session, site, loss, version DESC;

CREATE OR REPLACE VIEW handspan_error_groups WITH (security_invoker = true) AS
SELECT DISTINCT ON (fingerprint, session) * FROM error_groups
ORDER BY fingerprint, session, version DESC;

-- The middle of a bucket of the log histogram, ns: 16 buckets an octave, the
-- first 32 a value each (lane/format/histogram.h).
CREATE OR REPLACE FUNCTION handspan_bucket_ns(bucket integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  SELECT CASE WHEN bucket < 32 THEN bucket::bigint
    ELSE ((16 + (bucket & 15))::bigint << ((bucket >> 4) - 1))
       + ((1::bigint << ((bucket >> 4) - 1)) >> 1) END
$$;

-- handspan stats: a row per handler of a trace, or of a time, service, host,
-- program. Times in ns; p50 and p95 within 3 %, all others exact. total_ns
-- counts the outermost call of a recursive handler, self_ns is without
-- children on the same thread; calls contains dropped_calls (in the totals
-- only) and unfinished ones (in no time but total_ns).
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
  ), loose AS ( -- calls that did not end are in no rollup
    SELECT p.name, count(*) AS calls,
      sum(greatest(c.start_unix_ns + c.duration_ns - p.start_unix_ns, 0))
        AS total_ns,
      max(greatest(c.start_unix_ns + c.duration_ns - p.start_unix_ns, 0))
        AS max_ns
    FROM spans p JOIN chosen c USING (trace_id)
    WHERE p.duration_ns IS NULL GROUP BY p.name
  )
  SELECT coalesce(s.name, l.name),
    (coalesce(s.calls, 0) + coalesce(l.calls, 0))::bigint,
    coalesce(s.errors, 0)::bigint,
    (coalesce(s.total_ns, 0) + coalesce(l.total_ns, 0))::bigint,
    coalesce(s.self_ns, 0)::bigint, s.cpu_ns::bigint,
    greatest(s.max_ns, l.max_ns)::bigint,
    least(handspan_bucket_ns(p.b50), s.max_ns)::bigint,
    least(handspan_bucket_ns(p.b95), s.max_ns)::bigint,
    coalesce(s.dropped_calls, 0)::bigint, coalesce(s.trace_count, 1)::bigint
  FROM summed s FULL JOIN loose l ON l.name = s.name
  LEFT JOIN points p ON p.name = coalesce(s.name, l.name)
  ORDER BY 5 DESC, 1
$$;

-- handspan errors: what fails alike, the most frequent first. Times unix ns.
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
  WHERE s.status = 'error'
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
  v text; f text; other text;
BEGIN
  FOREACH v IN ARRAY ARRAY['handspan_traces', 'handspan_processes',
      'handspan_sites', 'handspan_rollups', 'handspan_losses',
      'handspan_error_groups'] LOOP
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', v);
    FOREACH other IN ARRAY ARRAY['anon', 'authenticated'] LOOP
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = other) THEN
        EXECUTE format('REVOKE ALL ON %I FROM %I', v, other);
      END IF;
    END LOOP;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_reader') THEN
      EXECUTE format('GRANT SELECT ON %I TO handspan_reader', v);
    END IF;
  END LOOP;
  FOREACH f IN ARRAY ARRAY[
      'handspan_stats(text, timestamptz, timestamptz, text, text, text)',
      'handspan_errors(text, timestamptz, timestamptz, text, text, text)',
      'handspan_bucket_ns(integer)', 'handspan_retain(timestamptz, boolean)']
  LOOP
    EXECUTE 'REVOKE ALL ON FUNCTION ' || f || ' FROM PUBLIC';
    FOREACH other IN ARRAY ARRAY['anon', 'authenticated'] LOOP
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = other) THEN
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', f, other);
      END IF;
    END LOOP;
    IF f NOT LIKE 'handspan_retain%' AND
       EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_reader') THEN
      EXECUTE 'GRANT EXECUTE ON FUNCTION ' || f || ' TO handspan_reader';
    END IF;
  END LOOP;
END $$;
