-- What is known of a process that failed: JSON as that of a span's error, with
-- "handler" and "ref" of the innermost call that was open. error_group: which
-- of them are the same failure.
ALTER TABLE processes ADD COLUMN error TEXT;
ALTER TABLE processes ADD COLUMN error_group TEXT;
