// SPDX-License-Identifier: Apache-2.0
// One trace: its head, and the timeline, flame graph, handlers, errors of it.

const PARTS = [['timeline', 'Timeline'], ['flame', 'Flame graph'], ['handlers', 'Handlers'], ['errors', 'Errors']];

function traceHead(id, part, t, query) {
  const command = (t.command || []).join(' ');
  const facts = [fmtTime(t.start_unix_ns), t.pid ? `pid ${t.pid}` : null, t.host, t.cpu_ns !== null && t.cpu_ns !== undefined ? `${fmtNs(t.cpu_ns)} CPU` : null,
    t.peak_bytes ? `peak ${t.peak_is_lower_bound ? 'over ' : ''}${fmtBytes(t.peak_bytes)}` : null, t.processes > 1 ? `${t.processes} processes` : null, plural(t.spans, 'call'), t.errors ? el('span.badtext', null, plural(t.errors, 'error')) : null].filter(Boolean);
  return el('div.tracehead', null,
    el('div.titles', null, el('h1', null, t.name), badge(t), el('span.big', null, fmtNs(t.duration_ns)), el('code.dim', { title: 'trace id' }, id.slice(0, 8)),
      command && command !== t.name ? el('code.command', { title: command }, command) : null),
    el('div.facts', null, facts.map((f) => el('span', null, f))),
    el('div', { id: 'why', role: 'status' }),
    t.missing ? el('p.warnbox', null, `Detail of ${fmtCount(t.missing.spans)} of ${fmtCount(t.missing.calls)} calls. ${t.missing.why || ''}`) : null,
    el('div.tabs', { role: 'tablist', 'aria-label': 'Views of the trace' }, PARTS.map(([key, words]) => el('a', { role: 'tab', href: href(['trace', id, key], { span: query.get('span') }), 'aria-selected': key === part ? 'true' : 'false', id: `tab-${key}` }, words, key === 'errors' && t.errors ? [' ', el('span.count', null, fmtCount(t.errors))] : null))));
}

// Why it failed, in the words of the errors: how it ended, and the call that
// failed first.
async function tellWhy(id, t, signal) {
  if (t.status !== 'error') return;
  const groups = (await askLines(`errors/${id}`, {}, signal)).slice(1).filter((g) => g.of !== 'throws');
  const ended = groups.find((g) => g.of === 'process' && g.name === t.name) || groups.find((g) => g.of === 'process');
  const call = groups.filter((g) => g.of !== 'process').sort((a, b) => a.first_unix_ns - b.first_unix_ns)[0];
  const at = call && call.example && call.example.span_id;
  const lines = [
    ended ? el('span', null, groupTitle(ended)) : null,
    call ? el('span', null, ended ? 'first failed call: ' : null, at ? el('a', { href: href(['trace', id, 'timeline'], { span: at }) }, call.name) : call.name, `  ${groupTitle(call)}`) : null].filter(Boolean);
  if (lines.length && byId('why')) fill(byId('why'), el('div.badbox.why', null, lines));
}

async function viewTrace(main, id, part, query, signal) {
  if (!PARTS.some(([key]) => key === part)) part = 'timeline';
  // the slow question first; both are on their way then
  const head = part === 'timeline' ? askOne(`lanes/${id}`, {}, signal) : null;
  if (head) head.catch(() => {});
  const row = await findTrace(id, signal);
  const body = el('div.tabbody', { role: 'tabpanel', 'aria-labelledby': `tab-${part}` });
  fill(main, traceHead(id, part, row, query), body);
  main.classList.add('tall');
  tellWhy(id, row, signal).catch(() => { /* its own view tells */ });
  return { timeline: tabTimeline, flame: tabFlame, handlers: tabHandlers, errors: tabErrors }[part](body, id, row, query, signal, head);
}

// The row of `list` of one trace.
async function findTrace(id, signal) {
  const rows = (await askLines('list', embedded ? {} : { trace: id }, signal)).slice(1);
  const row = rows.find((r) => r.trace_id === id);
  if (!row) throw new Refused(404, `No trace ${id} is in the store.`);
  return row;
}

async function tabTimeline(body, id, row, query, signal, asked) {
  const head = await asked;
  if (!head.spans) {
    fill(body, empty('No calls', row.missing ? row.missing.why : 'No handler of the manifest was called, or none is bound: handspan check --trace tells.'));
    if (!head.lanes.length && !head.processes.length) return null;
  }
  const open = (span) => { remember({ span }); panel.open(span); };
  const timeline = new Timeline(id, head, {
    open: (hit) => open(spanId(head.lanes[hit.lane], hit.counter)),
    select: (span) => { if (span) open(span); else { remember({ span: null }); panel.close(); } },
    trouble: (e) => say(e.message),
  });
  const panel = new Panel(id, head, {
    closed: () => { panel.close(); remember({ span: null }); timeline.selected = null; timeline.again(); timeline.canvas.focus(); },
    go: (place) => { timeline.reveal(place); open(place.span_id); },
    placed: (place) => timeline.reveal(place),
  });
  const tools = timelineTools(id, head, timeline, panel, query, open);
  fill(body, tools.bar, el('div.split', null, timeline.element, panel.element));
  if (query.get('from')) timeline.show(Number(query.get('from')), Number(query.get('to')));
  if (query.get('span')) panel.open(query.get('span'));
  if (query.get('q')) tools.search(query.get('q'), query.get('in') || 'names');
  window.handspanTimeline = timeline;
  setTimeout(() => askOne(`critical/${id}`, { px: 4000 }, signal).then((c) => { timeline.critical = c.path; timeline.again(); }, () => {}), head.spans > 50000 ? 700 : 0);
  let live = 0;
  if (!head.is_final && !embedded)
    live = setInterval(async () => { try { timeline.grow(await askOne(`lanes/${id}`)); } catch { /* the next time */ } }, 2000);
  return () => { clearInterval(live); timeline.close(); };
}

function timelineTools(id, head, timeline, panel, query, open) {
  let found = []; let at = -1;
  const count = el('span.dim', { role: 'status' });
  const input = el('input', { type: 'search', placeholder: 'Search (press /)', 'aria-label': 'Search calls', value: query.get('q') || '', spellcheck: 'false', id: 'search' });
  const where = el('select', { 'aria-label': 'Search in' }, [['names', 'names'], ['values', 'values and errors'], ['failed', 'failed calls']].map(([k, v]) => el('option', { value: k, selected: (query.get('in') || 'names') === k }, v)));
  function go(step) {
    if (!found.length) return;
    at = (at + step + found.length) % found.length;
    count.textContent = `${at + 1} of ${fmtCount(found.length)}`;
    timeline.reveal(found[at]);
    open(found[at].span_id);
  }
  async function search(text, kind) {
    remember({ q: text, in: kind === 'names' ? null : kind });
    if (!text && kind !== 'failed') { found = []; timeline.found = []; count.textContent = ''; timeline.again(); return; }
    try {
      const answer = embedded ? localFind(timeline, text, kind) : await askOne(`find/${id}`, { text, in: kind });
      found = answer.found;
      timeline.found = found;
      at = -1;
      count.textContent = found.length ? `${answer.is_all ? '' : 'first '}${fmtCount(found.length)} found` : 'none found';
      timeline.again();
    } catch (e) { count.textContent = e.message; }
  }
  input.addEventListener('change', () => search(input.value, where.value));
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && found.length && input.value === (route().query.get('q') || '')) { e.preventDefault(); go(e.shiftKey ? -1 : 1); }
    if (e.key === 'Escape') { input.value = ''; search('', 'names'); timeline.canvas.focus(); }
  });
  where.addEventListener('change', () => search(input.value, where.value));
  const toggle = (words, key) => el('label.check', null, el('input', { type: 'checkbox', checked: timeline[key], onchange: (e) => { timeline[key] = e.target.checked; timeline.again(); } }), words);
  const button = (words, label, act) => el('button', { type: 'button', 'aria-label': label, title: label, onclick: act }, words);
  return { search, bar: el('div.bar.tools', null, input, where, button('‹', 'Previous found', () => go(-1)), button('›', 'Next found', () => go(1)), count, el('span.grow'),
    toggle('Critical path', 'showCritical'), toggle('Links', 'showLinks'),
    button('−', 'Zoom out', () => timeline.zoom(1.6)), button('+', 'Zoom in', () => timeline.zoom(1 / 1.6)), button('All', 'Show the whole trace', () => timeline.all()),
    head.left_out ? el('span.warntext', null, `${fmtCount(head.left_out)} calls are not drawn`) : null) };
}

// In a report there is nobody to ask: what is drawn is searched.
function localFind(timeline, text, kind) {
  const found = []; const wanted = text.toLowerCase();
  for (const [lane, rows] of timeline.whole ? timeline.whole.lanes : [])
    rows.forEach((bars, row) => {
      for (let i = 0; bars && i < bars.length && found.length < 2000; i += 6) {
        const bar = timeline.bar(lane, row, bars, i);
        if (kind === 'failed' ? !(bar.flags & FAILED) : !bar.text.toLowerCase().includes(wanted)) continue;
        found.push({ ...bar, name: bars[i + 2], span_id: spanId(timeline.head.lanes[lane], bar.counter) });
      }
    });
  found.sort((a, b) => a.start_ns - b.start_ns);
  return { found, is_all: found.length < 2000 };
}

const statColumns = (wall) => [
  { title: 'Handler', get: (r) => r.name || '(no handler)', left: true, kind: 'wide', show: (r) => (r.name ? el('span', null, el('span.swatch', { 'data-name': r.name }), r.name) : el('span.dim', null, '(no handler)')) },
  { title: 'Calls', get: (r) => r.calls, show: (r) => fmtCount(r.calls) },
  { title: 'Errors', get: (r) => r.errors, show: (r) => (r.errors ? el('span.badtext', null, fmtCount(r.errors)) : r.errors === 0 ? '0' : '–') },
  { title: 'Total', get: (r) => r.total_ns, show: (r) => `${r.estimate ? '~' : ''}${fmtNs(r.total_ns)}` },
  { title: 'Self', get: (r) => r.self_ns, show: (r) => `${r.estimate ? '~' : ''}${fmtNs(r.self_ns)}` },
  { title: 'Share', get: (r) => r.self_ns, show: (r) => el('span.meter', null, el('svg:svg', { viewBox: '0 0 60 6', class: 'meterbar', 'aria-hidden': 'true' }, el('svg:rect', { width: Math.min(60, (60 * (r.self_ns || 0)) / (wall || 1)).toFixed(1), height: 6, rx: 2 })), el('span', null, fmtShare(r.self_ns, wall))) },
  { title: 'Critical', get: (r) => r.critical_ns, show: (r) => `${r.critical_estimate ? '~' : ''}${fmtShare(r.critical_ns, wall)}` },
  { title: 'CPU', get: (r) => r.cpu_ns, show: (r) => `${r.cpu_unknown_calls ? '≥' : ''}${fmtNs(r.cpu_ns)}` },
  { title: 'p50', get: (r) => r.p50_ns, show: (r) => (r.calls > 1 ? fmtNs(r.p50_ns) : '–') },
  { title: 'p95', get: (r) => r.p95_ns, show: (r) => (r.calls > 1 ? fmtNs(r.p95_ns) : '–') },
  { title: 'Max', get: (r) => r.max_ns, show: (r) => fmtNs(r.max_ns) },
];
function paintSwatches(parent) {
  for (const s of parent.querySelectorAll('.swatch')) s.style.background = colourOf(s.dataset.name);
}

async function tabHandlers(body, id, row, query, signal) {
  const [first, ...rows] = await askLines(`stats/${id}`, {}, signal);
  const wall = rows.length ? rows[0].wall_ns : 0;
  const columns = statColumns(wall);
  const handler = columns[0].show;
  columns[0].show = (r) => (r.name ? el('a', { href: href(['trace', id, 'timeline'], { q: r.name }) }, handler(r)) : handler(r));
  const thrown = rows.filter((r) => r.throws && Object.keys(r.throws).length);
  fill(body, rows.length ? table(columns, rows, { by: 4, label: 'Handlers of the trace by self time' }) : empty('No calls', 'No handler was called.'),
    el('p.note', null, `Counts, totals and max are exact; p50 and p95 are within 3 %. Share: of the time of the trace; threads together can have more than all of it. ${first.missing ? first.missing.why : ''}`),
    thrown.length ? section('Exceptions thrown below', el('ul.path', null, thrown.map((r) => el('li', null, r.name || '(no handler)', ': ', Object.entries(r.throws).map(([type, n]) => `${type} ×${n}`).join(', '))))) : null);
  paintSwatches(body);
  return null;
}

async function tabErrors(body, id, row, query, signal) {
  const rows = (await askLines(`errors/${id}`, {}, signal)).slice(1);
  fill(body, errorList(rows, row));
  return null;
}
