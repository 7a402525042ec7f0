// SPDX-License-Identifier: Apache-2.0
// What is open now: looked at again each second.

async function viewOpen(main, query, signal) {
  const all = query.get('all') === '1';
  const body = el('div');
  const beat = el('span.dim');
  fill(main, el('div.bar', null, el('h1', null, 'Open now'), el('span.beat', { 'aria-hidden': 'true' }), beat, el('span.grow'),
    el('label.check', null, el('input', { type: 'checkbox', checked: all, onchange: (e) => { location.hash = href(['open'], { all: e.target.checked ? '1' : '' }); } }), 'with the calls around them')), body);
  let before = ''; let timer = 0;
  const look = async () => {
    try {
      const [meta, ...calls] = await askLines('open', {}, signal);
      const traces = (await askLines('list', { status: 'open', limit: 200 }, signal)).slice(1);
      const now = meta.now_unix_ns;
      beat.textContent = `as of ${fmtTime(now, false)}`;
      const rows = calls.filter((c) => all || c.is_innermost);
      const same = JSON.stringify([rows.map((r) => r.span_id), traces.map((t) => t.trace_id)]);
      if (same === before) {
        for (const age of body.querySelectorAll('[data-start]')) age.textContent = fmtNs(now - Number(age.dataset.start));
      } else {
        before = same;
        draw(rows, traces, now);
      }
    } catch (e) {
      if (e.name !== 'AbortError') { before = ''; fill(body, trouble(e)); }
    }
    if (!signal.aborted) timer = setTimeout(look, 1000);
  };
  const age = (start, now) => el('span', { 'data-start': start }, fmtNs(now - start));
  function draw(rows, traces, now) {
    const late = (r) => r.overdue_unix_ns || (r.limit_ns && now - r.start_unix_ns > r.limit_ns);
    rows.sort((a, b) => Boolean(late(b)) - Boolean(late(a)) || a.start_unix_ns - b.start_unix_ns);
    fill(body, traces.length ? table([
      { title: 'Program', get: (t) => t.name, left: true, kind: 'wide', show: (t) => el('a', { href: href(['trace', t.trace_id]) }, el('strong', null, t.name), ' ', el('span.dim', null, (t.command || []).slice(1).join(' ').slice(0, 100))) },
      { title: 'Runs for', get: (t) => -t.start_unix_ns, show: (t) => age(t.start_unix_ns, now) },
      { title: 'Pid', get: (t) => t.pid }, { title: 'Calls', get: (t) => t.spans, show: (t) => fmtCount(t.spans) }, { title: 'Errors', get: (t) => t.errors },
    ], traces, { by: 1, label: 'Traces that run' }) : empty('Nothing runs', 'A traced program that is started now is here a second later.'),
    rows.length ? [el('h2', null, 'Open calls, the oldest first'), table([
      { title: 'Open for', get: (r) => -r.start_unix_ns, show: (r) => age(r.start_unix_ns, now) },
      { title: 'Handler', get: (r) => r.name, left: true, kind: 'wide', show: (r) => el('a', { href: href(['trace', r.trace_id, 'timeline'], { span: r.span_id }) }, el('strong', null, r.name || '?')) },
      { title: '', get: () => '', left: true, show: (r) => (late(r) ? el('span.badge.bad', null, `overdue ${fmtNs(r.limit_ns)}`) : null) },
      { title: 'Input', get: (r) => JSON.stringify(r.input), left: true, show: (r) => el('code.short', null, Object.entries(r.input || {}).map(([k, v]) => `${k} = ${shown(v)}`).join('  ').slice(0, 160)) },
      { title: 'Thread', get: (r) => r.thread_name, left: true, show: (r) => `${r.thread_name || ''} ${r.tid ?? ''}` },
      { title: 'Process', get: (r) => r.process, left: true, show: (r) => `${r.process || ''} ${r.pid ?? ''}` },
    ], rows, { fixed: true, label: 'Open calls' })] : null);
  }
  await look();
  return () => clearTimeout(timer);
}
