-- Long texts of spans stand apart, each distinct one of a session once: a row
-- of `spans` that is longer than 1,002 bytes takes a page more, and failed calls
-- have mostly the same error. Rows of before keep theirs.

ALTER TABLE spans RENAME TO span_rows;
-- What stands in a column of span_rows as a blob, the digits of `text`.
CREATE TABLE texts (
  text    INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  hash    INTEGER NOT NULL,           -- FNV-1a of body
  uses    INTEGER NOT NULL,           -- columns that have it: 0, it goes
  body    TEXT NOT NULL
);
CREATE INDEX texts_by_hash ON texts (session, hash);
CREATE INDEX texts_unused ON texts (text) WHERE uses <= 0;
-- The spans as readers see them.
CREATE VIEW spans AS
SELECT session, ref, trace, parent_ref, site, process_idx, generation, depth,
  start_unix_ns, duration_ns, self_ns, cpu_ns, queue_ns, status, ended_by,
  CASE WHEN typeof(r.input) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.input AS INTEGER)) ELSE r.input END AS input,
  CASE WHEN typeof(r.output) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.output AS INTEGER)) ELSE r.output END AS output,
  CASE WHEN typeof(r.attributes) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.attributes AS INTEGER)) ELSE r.attributes END
    AS attributes,
  CASE WHEN typeof(r.capture) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.capture AS INTEGER)) ELSE r.capture END AS capture,
  CASE WHEN typeof(r.error) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.error AS INTEGER)) ELSE r.error END AS error,
  CASE WHEN typeof(r.links) = 'blob' THEN (SELECT body FROM texts t
    WHERE t.text = CAST(r.links AS INTEGER)) ELSE r.links END AS links,
  fingerprint, orphan
FROM span_rows r;

-- What was open when a process ended.
CREATE INDEX spans_unfinished ON span_rows (session, process_idx, parent_ref)
  WHERE status = 'unfinished';
