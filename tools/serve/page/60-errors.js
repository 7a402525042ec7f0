// SPDX-License-Identifier: Apache-2.0
// What failed, each kind of failure once.

function groupTitle(g) {
  if (g.reason) return g.reason;
  const e = g.error || (g.example && g.example.error);
  if (e) return errorLine(e);
  if (g.of === 'process') return g.kind === 'signal' || g.kind === 'killed' ? g.type || 'killed' : g.type || g.rule || g.kind || 'failed';
  return [g.rule, g.type].filter(Boolean).join(', ') || g.kind || 'failed';
}

function errorCard(g, open) {
  const x = g.example;
  const e = g.error || (x && x.error);
  const inside = el('div.inside');
  const box = el('details.card.group', { open, ontoggle: (event) => { if (event.target.open && !inside.childElementCount) show(); } },
    el('summary', null, el('span.count', null, fmtCount(g.count)), el('span.what', null, el('strong', null, g.name || '?'), el('span.badtext', null, groupTitle(g))),
      el('span.dim.when', null, `${g.calls ? `${fmtShare(g.count, g.calls)} of ${g.of === 'process' ? `${fmtCount(g.calls)} process${g.calls === 1 ? '' : 'es'}` : plural(g.calls, 'call')}, ` : ''}last ${embedded ? fmtTime(g.last_unix_ns) : fmtAgo(g.last_unix_ns)}`)), inside);
  function show() {
    fill(inside, el('dl.figures', null, [['First', fmtTime(g.first_unix_ns)], ['Last', fmtTime(g.last_unix_ns)], ['Traces', fmtCount(g.traces)], ['Kind', g.kind]].map(([k, v]) => el('div', null, el('dt', null, k), el('dd', null, v)))),
      x && x.trace_id ? el('p', null, el('a.primary', { href: href(['trace', x.trace_id, 'timeline'], { span: x.span_id }) }, 'Show the newest one in its trace'), x.path ? el('span.dim', null, `   ${x.path}`) : null) : null,
      errorSections(e, g.reason), x ? [values('Input', x.input), values('Output', x.output)] : null);
  }
  if (open) show();
  return box;
}

function errorList(rows, trace) {
  const groups = rows.filter((r) => r.of !== 'throws'); const throws = rows.filter((r) => r.of === 'throws');
  const none = trace && trace.status === 'error'
    ? empty('No traced call failed', `The trace ended with ${outcome(trace)[0]}: what failed was not traced.`)
    : empty('No errors', 'No call and no process failed.');
  return el('div.list', null, groups.length ? groups.map((g) => errorCard(g, groups.length === 1)) : none,
    throws.length ? el('section', null, el('h2.small', null, 'Exceptions thrown, caught or not'), table([{ title: 'Below', get: (r) => r.name || '(no handler)', left: true }, { title: 'Type', get: (r) => r.type, left: true, kind: 'wide' }, { title: 'Thrown', get: (r) => r.count, show: (r) => fmtCount(r.count) }], throws, { by: 2, label: 'Exceptions thrown' })) : null);
}

async function viewErrors(main, group, query, signal) {
  const filter = { program: query.get('program') || '', since: query.get('since') || '' };
  const change = (key) => (value) => { location.hash = href(['errors'], { ...filter, [key]: value }); };
  const body = el('div');
  fill(main, el('div.bar', null, el('h1', null, group ? 'One error' : 'Errors'), el('span.grow'),
    group ? el('a', { href: href(['errors']) }, 'All errors') : [entry('Program', filter.program, 'name or glob', change('program')), choice('Time', filter.since, SPANS_OF_TIME, change('since'))]), body);
  const rows = (await askLines('errors', { program: filter.program, since: sinceNs(Number(filter.since)) }, signal)).slice(1);
  const wanted = group ? rows.filter((r) => r.group && r.group.startsWith(group)) : rows;
  fill(body, group && !wanted.length ? empty('No such error', 'Retention may have taken it.') : errorList(wanted));
}
