-- Context that follows the work: links, orphans with their reason, carriers that found nobody.

-- A process whose trace ends with what it exec'ed: why, and the file.
ALTER TABLE processes ADD COLUMN lost TEXT;  -- static | privileged | foreign |
                                             -- cleared
ALTER TABLE processes ADD COLUMN target TEXT;
-- A root of its trace: a program that hangs from what the earliest one hangs
-- from (nothing, or the same span outside), and what it exec'ed.
ALTER TABLE processes ADD COLUMN is_root INTEGER NOT NULL DEFAULT 0;
CREATE INDEX processes_by_trace ON processes (trace, pid);
CREATE INDEX processes_roots ON processes (trace) WHERE is_root;
