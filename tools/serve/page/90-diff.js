// SPDX-License-Identifier: Apache-2.0
// Two traces as one flame graph, and their handlers side by side.

// Slower is warm, faster cool, the same grey.
function deltaColour(a, b) {
  const most = Math.max(a, b);
  const part = most > 0 ? (b - a) / most : 0;
  const s = Math.min(1, Math.abs(part) * 1.4);
  const dark = isDark();
  const light = dark ? 64 : 80;
  return part >= 0 ? `hsl(22 ${Math.round(8 + 72 * s)}% ${light - 4 * s}%)` : `hsl(212 ${Math.round(8 + 62 * s)}% ${light - 4 * s}%)`;
}
const signed = (ns) => `${ns > 0 ? '+' : ns < 0 ? '−' : ''}${fmtNs(Math.abs(ns))}`;

async function viewDiff(main, ids, query, signal) {
  if (ids.length !== 2) { fill(main, trouble(new Refused(404, 'Choose two traces of the list to compare them.'), 'h1')); return null; }
  const [a, b] = await Promise.all(ids.map((id) => findTrace(id, signal)));
  const body = el('div');
  const head = (t, name) => el('a.side', { href: href(['trace', t.trace_id]) }, el('span.tag', null, name), el('strong', null, t.name), badge(t), el('span', null, fmtNs(t.duration_ns)), el('span.dim', null, fmtTime(t.start_unix_ns)), el('code.dim', null, t.trace_id.slice(0, 8)),
    t.command && t.command.length > 1 ? el('code.command', { title: t.command.join(' ') }, t.command.join(' ')) : null);
  fill(main, el('div.bar', null, el('h1', null, 'Compare'), el('span.grow'), el('a', { href: href(['diff', ids[1], ids[0]]) }, 'the other way round')), el('div.sides', null, head(a, 'A'), head(b, 'B')), body);
  const [foldedA, foldedB, statsA, statsB] = await Promise.all([ask(`folded/${ids[0]}`, {}, signal), ask(`folded/${ids[1]}`, {}, signal), askLines(`stats/${ids[0]}`, {}, signal), askLines(`stats/${ids[1]}`, {}, signal)]);
  const root = foldedTree(foldedA, foldedB);
  const both = new Map();
  statsA.slice(1).forEach((r) => both.set(r.name, { name: r.name, a: r }));
  statsB.slice(1).forEach((r) => both.set(r.name, { ...(both.get(r.name) || { name: r.name }), b: r }));
  const rows = [...both.values()].map((r) => ({ ...r, delta: ((r.b && r.b.self_ns) || 0) - ((r.a && r.a.self_ns) || 0) }));
  const whole = root.total[1] - root.total[0];
  const moved = rows.reduce((sum, r) => sum + Math.abs(r.delta), 0) || 1;
  const largest = rows.filter((r) => r.name).sort((x, y) => Math.abs(y.delta) - Math.abs(x.delta))[0];
  const summary = largest && largest.delta ? `${largest.name} changed most: ${signed(largest.delta)} of its own, ${fmtShare(Math.abs(largest.delta), moved)} of all that changed.` : 'No handler took another time.';
  const weight = (n) => { const kids = [...n.children.values()].reduce((s, c) => s + weightOf(c), 0); return Math.max(n.total[0], n.total[1], kids); };
  const weights = new Map();
  function weightOf(n) { let w = weights.get(n); if (w === undefined) { w = weight(n); weights.set(n, w); } return w; }
  const flame = new Flame(root, {
    label: 'Flame graph of both traces', weight: weightOf, colour: (n) => deltaColour(n.total[0], n.total[1]), words: (n) => `${n.name}  ${signed(n.total[1] - n.total[0])}`,
    tip: (n) => [el('strong', null, n.name), el('div', null, `A ${fmtNs(n.total[0])}, B ${fmtNs(n.total[1])}: ${signed(n.total[1] - n.total[0])}`), el('div', null, `of its own: A ${fmtNs(n.self[0])}, B ${fmtNs(n.self[1])}`)],
  });
  const figure = (get, show) => (r) => { const x = r.a ? get(r.a) : null; const y = r.b ? get(r.b) : null; if (x === null && y === null) return '–'; return el('span', null, el('span.dim', null, r.a ? show(x) : 'new'), ' → ', r.b ? show(y) : 'gone'); };
  fill(body, el('p.lead', null, `B took ${signed((b.duration_ns || 0) - (a.duration_ns || 0))} (${fmtNs(a.duration_ns)} → ${fmtNs(b.duration_ns)}); time of the threads ${signed(whole)}. `, el('strong', null, summary), el('span.dim', null, ' One run a side says nothing of noise.')),
    el('div.bar.tools', null, el('span.key.faster', null, 'faster in B'), el('span.key.slower', null, 'slower in B'), el('span.dim', null, 'Width: the longer of both.'), el('span.grow'), el('button', { type: 'button', onclick: () => flame.zoom(root) }, 'All')),
    flame.element, table([
      { title: 'Handler', get: (r) => r.name || '(no handler)', left: true, kind: 'wide' },
      { title: 'Self, change', get: (r) => Math.abs(r.delta), show: (r) => el(`span.${r.delta > 0 ? 'slowertext' : r.delta < 0 ? 'fastertext' : 'dim'}`, null, signed(r.delta)) },
      { title: 'Of all change', get: (r) => Math.abs(r.delta), show: (r) => fmtShare(Math.abs(r.delta), moved) },
      { title: 'Self', get: (r) => (r.b ? r.b.self_ns : -1), show: figure((s) => s.self_ns, fmtNs) },
      { title: 'Calls', get: (r) => (r.b ? r.b.calls : -1), show: figure((s) => s.calls, fmtCount) },
      { title: 'Errors', get: (r) => (r.b ? r.b.errors : -1), show: figure((s) => s.errors, fmtCount) },
      { title: 'p95', get: (r) => (r.b ? r.b.p95_ns : -1), show: figure((s) => s.p95_ns, fmtNs) },
    ], rows, { by: 1, label: 'Handlers by their change' }));
  return () => flame.stop();
}
