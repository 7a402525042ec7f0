-- Long texts of spans (tools/store/texts.c): see 0008_texts.sql.

-- :find
SELECT text FROM texts WHERE session = ?1 AND hash = ?2 AND body = ?3;
-- :use
UPDATE texts SET uses = uses + 1 WHERE text = ?1;
-- :add
INSERT INTO texts (session, hash, uses, body) VALUES (?1, ?2, 1, ?3);
-- :leave
UPDATE texts SET uses = uses - 1 WHERE text = ?1;
