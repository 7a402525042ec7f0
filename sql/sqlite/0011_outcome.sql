-- The outcome of a trace is that of all its processes, and of the command that
-- `handspan run` waited for, which may be traced by nobody.
ALTER TABLE traces ADD COLUMN command_status INTEGER;  -- as of waitpid()
ALTER TABLE traces ADD COLUMN command_end_unix_ns INTEGER;

-- The last end and what is open, without a look at each process.
CREATE INDEX processes_ends
  ON processes (trace, start_unix_ns + coalesce(duration_ns, 0));
CREATE INDEX processes_sure_ends
  ON processes (trace, start_unix_ns + coalesce(end_least_ns, duration_ns, 0));
CREATE INDEX processes_open ON processes (trace) WHERE status = 'open';
CREATE INDEX processes_failed ON processes (trace) WHERE status = 'error';
