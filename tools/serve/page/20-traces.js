// SPDX-License-Identifier: Apache-2.0
// The traces of the store: filter, trend, list.

const SPANS_OF_TIME = [['', 'ever'], ['3600', 'last hour'], ['86400', 'last day'], ['604800', 'last week'], ['2592000', 'last 30 days']];
const sinceNs = (seconds) => (seconds ? String(BigInt(Math.round((Date.now() / 1000 - seconds) * 1000)) * 1000000n) : '');

// Duration over time, each trace a dot; a logarithmic axis.
function trend(rows) {
  const w = Math.max(500, byId('main').clientWidth - 36); const h = 130; const left = 60; const bottom = 18;
  const done = rows.filter((r) => r.duration_ns !== null);
  if (done.length < 2) return null;
  const times = done.map((r) => r.start_unix_ns); const took = done.map((r) => Math.max(1, r.duration_ns));
  const t0 = Math.min(...times); const t1 = Math.max(...times, t0 + 1);
  const low = Math.log10(Math.min(...took)) - 0.1; const high = Math.max(low + 0.5, Math.log10(Math.max(...took)) + 0.1);
  const x = (t) => left + ((t - t0) / (t1 - t0)) * (w - left - 12);
  const y = (ns) => 6 + (1 - (Math.log10(Math.max(1, ns)) - low) / (high - low)) * (h - bottom - 10);
  const marks = [];
  const nice = [['1 µs', 1e3], ['10 µs', 1e4], ['100 µs', 1e5], ['1 ms', 1e6], ['10 ms', 1e7], ['100 ms', 1e8], ['1 s', 1e9], ['10 s', 1e10], ['1 min', 6e10], ['10 min', 6e11], ['1 h', 36e11], ['10 h', 36e12], ['4 days', 3456e11]];
  const within = nice.filter(([, ns]) => Math.log10(ns) >= low && Math.log10(ns) <= high);
  const thin = within.length > 5 ? 2 : 1;
  within.forEach(([words, ns], i) => {
    if (i % thin === 0) marks.push(el('svg:line.grid', { x1: left, x2: w - 8, y1: y(ns), y2: y(ns) }), el('svg:text.axis', { x: left - 8, y: y(ns) + 4, 'text-anchor': 'end' }, words));
  });
  for (let i = 0; i < 5; i++) {
    const t = t0 + ((t1 - t0) * i) / 4;
    marks.push(el('svg:text.axis', { x: x(t), y: h - 2, 'text-anchor': i === 0 ? 'start' : i === 4 ? 'end' : 'middle' }, fmtTick(t, t1 - t0)));
  }
  const failed = done.filter((r) => r.status === 'error').length;
  const dots = done.map((r) => el(`svg:circle.dot.${outcome(r)[1]}`, { cx: x(r.start_unix_ns).toFixed(1), cy: y(r.duration_ns).toFixed(1), r: r.status === 'error' ? 4 : 3 },
    el('svg:title', null, `${r.name}  ${fmtNs(r.duration_ns)}  ${outcome(r)[0]}  ${fmtTime(r.start_unix_ns)}`)));
  dots.forEach((dot, i) => dot.addEventListener('click', () => { location.hash = href(['trace', done[i].trace_id]); }));
  return el('figure.card.trend', null, el('figcaption', null, 'Duration of each trace by its start'),
    el('svg:svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': `Durations of ${done.length} traces, from ${fmtNs(Math.min(...took))} to ${fmtNs(Math.max(...took))}; ${failed} failed` }, marks, dots));
}

async function viewTraces(main, query, signal) {
  const filter = { status: query.get('status') || '', program: query.get('program') || '', since: query.get('since') || '', limit: query.get('limit') || '200' };
  const change = (key) => (value) => { location.hash = href([], { ...filter, [key]: value }); };
  const body = el('div');
  fill(main, el('div.bar', { role: 'search' },
    el('h1', null, 'Traces'), el('span.grow'),
    entry('Program', filter.program, 'name or glob', change('program')),
    choice('Outcome', filter.status, [['', 'any'], ['ok', 'ok'], ['error', 'failed'], ['open', 'running'], ['unfinished', 'unfinished']], change('status')),
    choice('Time', filter.since, SPANS_OF_TIME, change('since')),
    choice('At most', filter.limit, [['50', '50'], ['200', '200'], ['1000', '1,000'], ['5000', '5,000']], change('limit'))), body);
  const rows = (await askLines('list', { ...filter, since: sinceNs(Number(filter.since)) }, signal)).slice(1);
  if (!rows.length) {
    const filtered = filter.status || filter.program || filter.since;
    fill(body, filtered ? empty('No trace matches', 'Take a part of the filter away.')
      : empty('Nothing was traced yet', 'handspan run -m MANIFEST -- COMMAND makes the first trace; it is here a second later.'));
    return;
  }
  const chosen = new Set();
  const compare = el('button.primary', { type: 'button', disabled: true, onclick: () => { location.hash = href(['diff', ...[...chosen].reverse()]); } }, 'Compare two');
  const pick = (id, on) => {
    if (on) chosen.add(id); else chosen.delete(id);
    compare.disabled = chosen.size !== 2;
    compare.textContent = chosen.size === 2 ? 'Compare these' : `Compare two${chosen.size ? ` (${chosen.size} chosen)` : ''}`;
  };
  const longest = Math.max(...rows.map((r) => r.duration_ns || 0), 1);
  const columns = [
    { title: '', get: () => '', left: true, show: (r) => el('input', { type: 'checkbox', 'aria-label': `Choose ${r.name} ${r.trace_id.slice(0, 8)} to compare`, onchange: (e) => pick(r.trace_id, e.target.checked) }) },
    { title: 'Started', get: (r) => r.start_unix_ns, left: true, kind: 'dim', show: (r) => fmtTime(r.start_unix_ns) },
    { title: 'Program', get: (r) => r.name, left: true, kind: 'wide', show: (r) => el('a', { href: href(['trace', r.trace_id]), title: (r.command || []).join(' ') }, el('strong', null, r.name), ' ', el('span.dim', null, (r.command || []).slice(1).join(' ').slice(0, 120))) },
    { title: 'Outcome', get: (r) => outcome(r)[0], left: true, show: badge },
    { title: 'Time', get: (r) => r.duration_ns, show: (r) => el('span.meter', null, el('svg:svg', { viewBox: '0 0 60 6', class: 'meterbar', 'aria-hidden': 'true' }, el('svg:rect', { width: ((60 * (r.duration_ns || 0)) / longest).toFixed(1), height: 6, rx: 2 })), el('span', null, fmtNs(r.duration_ns))) },
    { title: 'CPU', get: (r) => r.cpu_ns, show: (r) => fmtNs(r.cpu_ns) },
    { title: 'Calls', get: (r) => r.spans, show: (r) => fmtCount(r.spans) },
    { title: 'Errors', get: (r) => r.errors, show: (r) => (r.errors ? el('span.badtext', null, fmtCount(r.errors)) : '0') },
    { title: 'Trace', get: (r) => r.trace_id, left: true, show: (r) => el('code', null, r.trace_id.slice(0, 8)) },
  ];
  const failed = rows.filter((r) => r.status === 'error').length;
  fill(body, trend(rows), el('div.bar', null, el('span.dim', null, `${plural(rows.length, 'trace')}, ${fmtCount(failed)} failed`), el('span.grow'), compare),
    table(columns, rows, { by: 1, down: true, label: 'Traces, newest first', most: 5000 }));
}
