-- SPDX-License-Identifier: Apache-2.0
-- Small jobs, two of them wrong on purpose: sqlite3 reports both and goes on.
CREATE TABLE job(id INTEGER PRIMARY KEY, tenant TEXT, n INTEGER);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<500) INSERT INTO job SELECT i, 'tenant'||(i%7), i*i%101 FROM c;
CREATE INDEX job_tenant ON job(tenant);
SELECT tenant, count(*), sum(n) FROM job GROUP BY tenant ORDER BY tenant;
SELECT id, n FROM job WHERE n > 95 ORDER BY id;
SELECT oops FROM nowhere;
INSERT INTO job VALUES(1,'twice',0);
DELETE FROM job WHERE id % 2;
SELECT count(*) FROM job;
