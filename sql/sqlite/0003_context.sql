-- Context that follows the work: links, orphans with their reason, carriers that found nobody.

-- Why a span's parent is not known: no carrier matched | context expired |
-- on a stack that nobody saw being made. Its parent_ref is the process then.
ALTER TABLE spans ADD COLUMN orphan TEXT;
