-- handspan in PostgreSQL, optional: spans partitioned by time, a partition for
-- seven days. For the day when there are more than some 100 million spans, or
-- when handspan_retain() takes too long: dropping a partition is instant. Until
-- then one table is quicker, and a span's id alone is its key; here it is id
-- and start (which never changes). One transaction; takes a lock on spans and
-- copies them (about a minute for 10 million); uploads wait and go on. The
-- owner calls handspan_partition() daily (pg_cron): rows of days without a
-- partition land in spans_default, and are moved when theirs is made.
DO $$
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('spans')) <> 'p' THEN
    ALTER TABLE spans RENAME TO spans_by_id;
    ALTER TABLE spans_by_id RENAME CONSTRAINT spans_pkey TO spans_by_id_pkey;
    DROP INDEX spans_by_start;
    DROP INDEX spans_by_name;
    DROP INDEX spans_failed;
    DROP INDEX IF EXISTS spans_by_group;
    CREATE TABLE spans (LIKE spans_by_id INCLUDING DEFAULTS
                        INCLUDING GENERATED)
      PARTITION BY RANGE (start_unix_ns);
    ALTER TABLE spans ADD CONSTRAINT spans_pkey
      PRIMARY KEY (trace_id, span_id, start_unix_ns);
    CREATE INDEX spans_by_start ON spans (start_unix_ns);
    CREATE INDEX spans_by_name ON spans (name, start_unix_ns);
    CREATE INDEX spans_failed ON spans (error_fingerprint, start_unix_ns)
      WHERE status = 'error';
    CREATE INDEX spans_by_group ON spans (error_fingerprint)
      WHERE error_fingerprint IS NOT NULL;
    CREATE TABLE spans_default PARTITION OF spans DEFAULT;
    ALTER TABLE spans_default ENABLE ROW LEVEL SECURITY;
  END IF;
END $$;

-- Partitions from `first` to `last`, as far as they are missing.
CREATE OR REPLACE FUNCTION handspan_partition(
  first timestamptz DEFAULT now(), last timestamptz DEFAULT now() + '14 days')
RETURNS integer LANGUAGE plpgsql SECURITY INVOKER SET search_path FROM CURRENT
AS $$
DECLARE
  week bigint := 7::bigint * 86400 * 1000000000;
  n bigint := floor(extract(epoch FROM first) * 1000000000 / week);
  made integer := 0;
  part text;
BEGIN
  WHILE n * week <= extract(epoch FROM last) * 1000000000 LOOP
    part := 'spans_' || to_char(to_timestamp(n * 7 * 86400), 'YYYYMMDD');
    IF to_regclass(part) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE spans INCLUDING DEFAULTS '
                     'INCLUDING GENERATED INCLUDING CONSTRAINTS)', part);
      EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
      EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', part);
      PERFORM 1 FROM pg_roles WHERE rolname = 'anon';
      IF FOUND THEN EXECUTE format('REVOKE ALL ON %I FROM anon', part); END IF;
      PERFORM 1 FROM pg_roles WHERE rolname = 'authenticated';
      IF FOUND THEN
        EXECUTE format('REVOKE ALL ON %I FROM authenticated', part);
      END IF;
      -- what waited for it
      EXECUTE format('CREATE TEMP TABLE handspan_moved ON COMMIT DROP AS '
        'SELECT * FROM spans_default WHERE start_unix_ns >= %s '
        'AND start_unix_ns < %s', n * week, (n + 1) * week);
      EXECUTE format('DELETE FROM spans_default WHERE start_unix_ns >= %s '
        'AND start_unix_ns < %s', n * week, (n + 1) * week);
      EXECUTE format('ALTER TABLE spans ATTACH PARTITION %I FOR VALUES '
        'FROM (%s) TO (%s)', part, n * week, (n + 1) * week);
      EXECUTE (SELECT format('INSERT INTO spans (%1$s) SELECT %1$s FROM '
          'handspan_moved', string_agg(quote_ident(attname), ', '))
        FROM pg_attribute WHERE attrelid = to_regclass('spans')
          AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
      DROP TABLE handspan_moved;
      made := made + 1;
    END IF;
    n := n + 1;
  END LOOP;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION handspan_partition(timestamptz, timestamptz) FROM PUBLIC;

DO $$
DECLARE
  columns text;
  r text;
BEGIN
  IF to_regclass('spans_by_id') IS NOT NULL THEN
    PERFORM handspan_partition(
      (SELECT coalesce(min(started_at), now()) FROM spans_by_id),
      now() + '14 days');
    SELECT string_agg(quote_ident(attname), ', ') INTO columns
    FROM pg_attribute WHERE attrelid = to_regclass('spans') AND attnum > 0
      AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('INSERT INTO spans (%1$s) SELECT %1$s FROM spans_by_id',
                   columns);
    DROP TABLE spans_by_id CASCADE;
  END IF;
  ALTER TABLE spans ENABLE ROW LEVEL SECURITY;
  REVOKE ALL ON spans, spans_default FROM PUBLIC;
  FOREACH r IN ARRAY ARRAY['anon', 'authenticated'] LOOP
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
      EXECUTE format('REVOKE ALL ON spans, spans_default FROM %I', r);
      EXECUTE format('REVOKE ALL ON FUNCTION handspan_partition(timestamptz, '
                     'timestamptz) FROM %I', r);
    END IF;
  END LOOP;
  DROP POLICY IF EXISTS handspan_write ON spans;
  DROP POLICY IF EXISTS handspan_keys ON spans;
  DROP POLICY IF EXISTS handspan_read ON spans;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_writer') THEN
    GRANT INSERT ON spans TO handspan_writer;
    GRANT SELECT (trace_id, span_id, start_unix_ns) ON spans TO handspan_writer;
    CREATE POLICY handspan_keys ON spans FOR SELECT TO handspan_writer
      USING (true);
    CREATE POLICY handspan_write ON spans FOR INSERT TO handspan_writer
      WITH CHECK (true);
  END IF;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'handspan_reader') THEN
    GRANT SELECT ON spans TO handspan_reader;
    CREATE POLICY handspan_read ON spans FOR SELECT TO handspan_reader
      USING (true);
  END IF;
  UPDATE handspan_schema SET spans_key = 'trace_id,span_id,start_unix_ns';
END $$;
