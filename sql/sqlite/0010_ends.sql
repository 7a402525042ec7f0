-- Ends that nobody saw exactly: the process ended between these, in ns since
-- its start. Both NULL: duration_ns is exact; end_most_ns NULL: that it was not
-- earlier than end_least_ns is all that is known.
ALTER TABLE processes ADD COLUMN end_least_ns INTEGER;
ALTER TABLE processes ADD COLUMN end_most_ns INTEGER;
