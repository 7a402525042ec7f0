-- What `handspan symbolize` runs (tools/store/naming.c), one statement under
-- each "-- :NAME". Names are looked up outside of transactions.

-- :begin
BEGIN IMMEDIATE;
-- :commit
COMMIT;
-- :rollback
ROLLBACK;
-- Groups of the errors of a trace, or of all.
-- :groups
SELECT DISTINCT fingerprint FROM spans
WHERE fingerprint IS NOT NULL
  AND (?1 IS NULL OR trace = (SELECT trace FROM traces WHERE trace_id = ?1));
-- Sessions of their errors, whose stacks later errors will refer to.
-- :sessions
SELECT DISTINCT session FROM spans WHERE fingerprint = ?1;
-- :all_sessions
SELECT DISTINCT session FROM stacks;
-- :errors
SELECT s.session, s.ref, s.start_unix_ns, s.error, g.handler
FROM spans s JOIN error_groups g ON g.fingerprint = s.fingerprint
WHERE s.fingerprint = ?1 AND (s.start_unix_ns, s.session, s.ref) > (?2, ?3, ?4)
ORDER BY s.start_unix_ns, s.session, s.ref LIMIT ?5;
-- :stacks
SELECT session, hash, 0, frames, NULL FROM stacks
WHERE session = ?1 AND hash > ?2 ORDER BY hash LIMIT ?3;
-- :stack_set
UPDATE stacks SET frames = ?3 WHERE session = ?1 AND hash = ?2;
-- The number of its text, where that stands apart.
-- :error_text
SELECT CAST(error AS INTEGER) FROM span_rows
WHERE session = ?1 AND ref = ?2 AND typeof(error) = 'blob';
-- :error_leave
UPDATE texts SET uses = uses - 1 WHERE text = ?1;
-- :text_unused
DELETE FROM texts WHERE uses <= 0;
-- A text (?3), or the number of one (?4).
-- :error_set
UPDATE span_rows SET error = coalesce(?3, CAST(CAST(?4 AS TEXT) AS BLOB)),
  fingerprint = ?5
WHERE session = ?1 AND ref = ?2;
-- One error goes from group ?1 to ?2.
-- :group_leave
UPDATE error_groups SET count = max(count - 1, 0) WHERE fingerprint = ?1;
-- :group_join
INSERT INTO error_groups (fingerprint, handler, kind, type, rule, count,
  first_unix_ns, last_unix_ns, session, ref)
SELECT ?2, handler, kind, type, rule, 1, ?3, ?3, ?4, ?5
FROM error_groups WHERE fingerprint = ?1
ON CONFLICT (fingerprint) DO UPDATE SET count = count + 1,
  first_unix_ns = min(first_unix_ns, excluded.first_unix_ns),
  last_unix_ns = max(last_unix_ns, excluded.last_unix_ns),
  session = CASE WHEN excluded.last_unix_ns >= last_unix_ns
    THEN excluded.session ELSE session END,
  ref = CASE WHEN excluded.last_unix_ns >= last_unix_ns
    THEN excluded.ref ELSE ref END;
-- What is counted in ?1 beyond the calls that are still here went where all of
-- those went: ?2.
-- :group_rest
UPDATE error_groups SET count = error_groups.count + o.count,
  first_unix_ns = min(error_groups.first_unix_ns, o.first_unix_ns)
FROM (SELECT count, first_unix_ns FROM error_groups
      WHERE fingerprint = ?1 AND count > 0) o
WHERE fingerprint = ?2
  AND NOT EXISTS (SELECT 1 FROM spans WHERE fingerprint = ?1);
-- An old group without calls: it has no more, or they went to another one.
-- :group_drop
DELETE FROM error_groups WHERE fingerprint = ?1
  AND (count = 0 OR ?2 IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM spans WHERE fingerprint = ?1);
-- Some stayed: the example is one of them.
-- :group_example
UPDATE error_groups SET (session, ref) =
  (SELECT session, ref FROM spans WHERE fingerprint = ?1
   ORDER BY start_unix_ns DESC LIMIT 1)
WHERE fingerprint = ?1 AND EXISTS
  (SELECT 1 FROM spans WHERE fingerprint = ?1);
-- Where all that are counted are here, the times are theirs.
-- :group_times
UPDATE error_groups SET first_unix_ns = o.first, last_unix_ns = o.last
FROM (SELECT count(*) AS n, min(start_unix_ns) AS first,
             max(start_unix_ns) AS last FROM spans WHERE fingerprint = ?1) o
WHERE fingerprint = ?1 AND count = o.n AND o.n > 0;
-- Sinks that got rows already, each once.
-- :sinks_sent
SELECT count(*) FROM sinks WHERE sent_spans > 0;
