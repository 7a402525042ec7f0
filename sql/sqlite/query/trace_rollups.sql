-- Exact totals of a trace by handler.
SELECT r.session, r.site, r.calls, r.errors, r.total_ns, r.self_ns, r.max_ns,
       r.cpu_ns, r.dropped_calls, r.histogram, r.slow_calls,
       r.cpu_unknown, r.top_cpu_ns, r.dropped_top_ns, r.untimed_calls,
       r.loose_calls
FROM rollups r WHERE r.trace = :trace ORDER BY r.session, r.site;
