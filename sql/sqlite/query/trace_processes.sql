-- Processes of the sessions of a trace. The trace column tells which belong.
SELECT p.session, p.idx, p.trace, p.pid, p.parent_idx, p.parent_ref, p.name,
       p.program, p.command, p.start_unix_ns, p.duration_ns, p.cpu_ns,
       p.peak_bytes, p.peak_is_lower_bound, p.status, p.ended_by, p.exit_code,
       p.signal, p.end_source, p.lost, p.target, p.end_least_ns, p.end_most_ns,
       p.loading_ns, p.loading_cpu_ns
FROM processes p
WHERE p.session IN (SELECT c.session FROM contexts c WHERE c.trace = :trace)
ORDER BY p.session, p.idx;
