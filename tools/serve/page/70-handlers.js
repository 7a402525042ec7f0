// SPDX-License-Identifier: Apache-2.0
// Handlers over time, over all traces.

// Cells are null or [calls, errors, p50, p95, p99, max].
function chart(title, cells, series, options) {
  const w = 420; const h = 120; const left = 54; const bottom = 18;
  const all = cells.flatMap((c) => (c ? series.map((s) => s.get(c)) : [])).filter((v) => v !== null && v > 0);
  const most = Math.max(...all, options.least || 1);
  const x = (i) => left + ((i + 0.5) / cells.length) * (w - left - 6);
  const y = (v) => 8 + (1 - v / most) * (h - bottom - 10);
  const marks = (most < 2 && series[0].bars ? [0, 1] : [0, 0.5, 1]).map((part) => [el('svg:line.grid', { x1: left, x2: w - 4, y1: y(most * part), y2: y(most * part) }), el('svg:text.axis', { x: left - 6, y: y(most * part) + 4, 'text-anchor': 'end' }, options.format(most * part))]);
  marks.push(el('svg:text.axis', { x: left, y: h - 3 }, fmtTick(options.since, options.until - options.since)), el('svg:text.axis', { x: w - 4, y: h - 3, 'text-anchor': 'end' }, fmtTick(options.until, options.until - options.since)));
  const step = (w - left - 6) / cells.length;
  const drawn = series.map((s) => {
    if (s.bars) return cells.map((c, i) => (c && s.get(c) ? el(`svg:rect.${s.kind}`, { x: (x(i) - step * 0.4).toFixed(1), y: y(s.get(c)).toFixed(1), width: (step * 0.8).toFixed(1), height: Math.max(1, h - bottom - 2 - y(s.get(c))).toFixed(1) }, el('svg:title', null, `${s.title}: ${options.format(s.get(c))}`)) : null));
    const points = cells.map((c, i) => (c ? [x(i), y(s.get(c)), s.get(c)] : null));
    let path = ''; let pen = false;
    for (const p of points) { if (!p) { pen = false; continue; } path += `${pen ? 'L' : 'M'}${p[0].toFixed(1)} ${p[1].toFixed(1)}`; pen = true; }
    return [el(`svg:path.${s.kind}`, { d: path, fill: 'none' }), points.map((p) => (p ? el(`svg:circle.${s.kind}`, { cx: p[0].toFixed(1), cy: p[1].toFixed(1), r: 2 }, el('svg:title', null, `${s.title}: ${options.format(p[2])}`)) : null))];
  });
  return el('figure.chart', null, el('figcaption', null, title, el('span.legend', null, series.map((s) => el(`span.${s.kind}`, null, s.title)))),
    el('svg:svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': `${title}: up to ${options.format(most)}` }, marks, drawn));
}

function spark(cells) {
  const w = 120; const h = 18; const most = Math.max(1, ...cells.map((c) => (c ? c[3] : 0)));
  return el('svg:svg', { viewBox: `0 0 ${w} ${h}`, class: 'spark', 'aria-hidden': 'true' }, cells.map((c, i) => (c ? el(`svg:rect${c[1] ? '.err' : ''}`, { x: ((i * w) / cells.length).toFixed(1), width: Math.max(1, w / cells.length - 0.5).toFixed(1), y: (h - Math.max(1, (h * c[3]) / most)).toFixed(1), height: Math.max(1, (h * c[3]) / most).toFixed(1) }) : null)));
}

async function viewHandlers(main, query, signal) {
  const filter = { program: query.get('program') || '', since: query.get('since') || '', name: query.get('name') || '' };
  const change = (key) => (value) => { location.hash = href(['handlers'], { ...filter, [key]: value }); };
  const body = el('div');
  fill(main, el('div.bar', null, el('h1', null, 'Handlers over time'), el('span.grow'), entry('Program', filter.program, 'name or glob', change('program')),
    choice('Time', filter.since, SPANS_OF_TIME, change('since'))), body);
  let until = '';
  let since = sinceNs(Number(filter.since));
  if (!since) {
    const first = (await askLines('list', { limit: 100000, program: filter.program }, signal)).slice(1);
    if (!first.length) { fill(body, empty('No calls', 'No trace matches.')); return; }
    const oldest = first[first.length - 1].start_unix_ns; const margin = Math.max(1e9, (first[0].start_unix_ns - oldest) * 0.01);
    since = Math.max(0, oldest - margin);
    until = first[0].start_unix_ns + margin;
  }
  const [meta, ...rows] = await askLines('handlers', { since, until, program: filter.program, cells: 60 }, signal);
  if (!rows.length) { fill(body, empty('No calls', 'No handler was called in this time.')); return; }
  const detail = el('div');
  const open = (r) => {
    const o = { since: meta.since_unix_ns, until: meta.until_unix_ns };
    remember({ name: r.name });
    fill(detail, el('section.card', null, el('h2', null, el('span.swatch', { 'data-name': r.name }), r.name), el('div.charts', null,
      chart('Calls', r.cells, [{ title: 'calls', kind: 's1', bars: true, get: (c) => c[0] }], { ...o, format: (v) => fmtCount(Math.round(v)) }),
      !r.errors ? el('figure.chart', null, el('figcaption', null, 'Errors'), el('p.dim', null, 'None in this time.')) : chart('Errors', r.cells, [{ title: 'errors', kind: 'err', bars: true, get: (c) => c[1] }], { ...o, format: (v) => fmtCount(Math.round(v)) }),
      chart('Time of a call', r.cells, [{ title: 'p99', kind: 's3', get: (c) => c[4] }, { title: 'p95', kind: 's2', get: (c) => c[3] }, { title: 'p50', kind: 's1', get: (c) => c[2] }], { ...o, format: fmtNs }))));
    paintSwatches(detail);
  };
  fill(body, detail, table([
    { title: 'Handler', get: (r) => r.name, left: true, kind: 'wide', show: (r) => el('button.link', { type: 'button', onclick: () => { open(r); detail.scrollIntoView({ block: 'nearest' }); } }, el('span.swatch', { 'data-name': r.name }), r.name) },
    { title: 'p95 over time', get: (r) => r.p95_ns, left: true, show: (r) => spark(r.cells) },
    { title: 'Calls', get: (r) => r.calls, show: (r) => fmtCount(r.calls) },
    { title: 'Errors', get: (r) => r.errors, show: (r) => (r.errors ? el('span.badtext', null, fmtCount(r.errors)) : '0') },
    { title: 'Self', get: (r) => r.self_ns, show: (r) => fmtNs(r.self_ns) },
    { title: 'p50', get: (r) => r.p50_ns, show: (r) => fmtNs(r.p50_ns) },
    { title: 'p95', get: (r) => r.p95_ns, show: (r) => fmtNs(r.p95_ns) },
    { title: 'p99', get: (r) => r.p99_ns, show: (r) => fmtNs(r.p99_ns) },
    { title: 'Max', get: (r) => r.max_ns, show: (r) => fmtNs(r.max_ns) },
  ], rows, { by: 4, label: 'Handlers by self time' }), el('p.note', null, `From ${fmtTime(meta.since_unix_ns)} to ${fmtTime(meta.until_unix_ns)}, by the start of the trace. Percentiles are within 3 %.`));
  open(rows.find((r) => r.name === filter.name) || rows[0]);
  paintSwatches(body);
}
