-- From the exec of a process to the moment when its first handler could run: the
-- loader's work and ours. NULL: when it was exec'ed is not known.
ALTER TABLE processes ADD COLUMN loading_ns INTEGER;
ALTER TABLE processes ADD COLUMN loading_cpu_ns INTEGER;
