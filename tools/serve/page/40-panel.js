// SPDX-License-Identifier: Apache-2.0
// One call, or a process, at the side: values, error, where it stands.

const MASK = (1n << 64n) - 1n;
function mix64(x) {
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}
// The W3C id of a call, as lane/format/ids.h makes it.
function spanId(lane, counter) {
  const ref = (BigInt(lane.lane) << 48n) | BigInt(counter);
  return mix64(ref ^ BigInt(`0x${lane.session}`)).toString(16).padStart(16, '0');
}

const base = (path) => (path ? path.slice(path.lastIndexOf('/') + 1) : path);
const shown = (v) => (typeof v === 'string' ? v : JSON.stringify(v));

// "return -2 (ENOENT); first cause open("/data/x.csv") = ENOENT".
function errorLine(e) {
  if (!e) return '';
  let text;
  if (e.kind === 'exception') text = `${e.type || 'exception'}${e.message ? `: ${e.message}` : ''}`;
  else if (e.kind === 'signal') text = e.type || 'signal';
  else if (e.kind === 'overdue') text = `${e.rule || 'overdue'}${e.message ? `: ${e.message}` : ''}`;
  else if (e.return_value !== null && e.return_value !== undefined) text = `return ${shown(e.return_value)}${e.type ? ` (${e.type})` : ''}`;
  else text = e.rule || e.type || e.kind || 'failed';
  return e.cause && e.cause.call ? `${text}; first cause ${causeLine(e.cause)}` : text;
}
// As the terminal has them: text is quoted, words and numbers are not.
const isWord = (a) => /^0[0-9a-fx]*$/.test(a) || a.startsWith('O_');
const argument = (a) => (typeof a === 'string' && isWord(a) ? a : JSON.stringify(a));
const causeLine = (c) => `${c.call}(${Array.isArray(c.args) ? c.args.map(argument).join(', ') : c.args || ''})${c.error ? ` = ${c.error}` : ''}`;

const section = (title, ...content) => el('section', null, el('h3', null, title), content);

function values(title, object, capture) {
  const keys = Object.keys(object || {});
  if (!keys.length) return null;
  return section(title, el('table.values', null, el('tbody', null, keys.map((key) => {
    const mark = capture && capture[key];
    const notes = [];
    if (mark && mark.truncated) notes.push(`cut, ${fmtBytes(mark.bytes)} in all`);
    if (mark && mark.unreadable) notes.push('could not be read');
    if (mark && mark.lost) notes.push(`lost: ${mark.lost}`);
    if (mark && mark.encoding) notes.push(mark.encoding);
    return el('tr', null, el('th', { scope: 'row' }, key), el('td', null, el('pre.value', null, shown(object[key])), notes.length ? el('div.note', null, notes.join('; ')) : null));
  }))));
}

const placeIn = (f) => `${base(f.object) || ''}${f.offset ? `+${typeof f.offset === 'number' ? `0x${f.offset.toString(16)}` : f.offset}` : ''}`;
function stack(title, frames, ended) {
  if (!frames || !frames.length) return null;
  return section(title, el('ol.stack', null, frames.map((f) => {
    const place = f.file ? `${f.file}${f.line ? `:${f.line}` : ''}` : null;
    return el(`li${f.handler ? '.handler' : ''}`, null,
      el('div.fn', null, f.function || (f.offset ? placeIn(f) : '?'), f.inlined ? el('span.tag', null, 'inlined') : null, f.handler ? el('span.tag.on', null, f.handler) : null),
      el('div.place', null, place ? el('span.source', null, place) : null, f.function || place ? el('span.dim', null, `${place ? '  ' : ''}${placeIn(f)}`) : null));
  })), ended && ended !== 'whole' ? el('div.note', null, `The stack ends here: ${ended}.`) : null);
}

function errorSections(e, reason) {
  if (!e) return null;
  return [section('Error', el('p.badbox', null, reason || errorLine(e)),
    el('table.values', null, el('tbody', null, [['rule', e.rule], ['message', e.message], ['errno', e.errno], ['group', e.fingerprint]]
      .filter(([, v]) => v !== null && v !== undefined && v !== '' && v !== 0)
      .map(([k, v]) => el('tr', null, el('th', { scope: 'row' }, k), el('td', null, k === 'group' ? el('a', { href: href(['errors', v]) }, v) : el('pre.value', null, shown(v)))))))),
  e.cause && e.cause.call ? section('First cause', el('pre.value.bad', null, causeLine(e.cause)), stackBare(e.cause.stack)) : null,
  e.stderr ? section('Standard error', el('pre.value', null, e.stderr)) : null,
  stack(e.kind === 'exception' ? 'Thrown at' : 'Stack at the first cause', e.origin, e.origin_ended), stack('Stack where it was noticed', e.stack, e.stack_ended),
  e.withheld ? el('div.note', null, `Not kept: ${shown(e.withheld)}`) : null];
}
const stackBare = (frames) => (frames && frames.length ? stack('', frames) : null);

class Panel {
  constructor(id, head, on) {
    this.id = id;
    this.head = head;
    this.on = on;
    this.element = el('aside.panel', { 'aria-label': 'The chosen call', tabindex: -1 });
    this.close();
  }

  close() {
    this.now = null;
    this.element.hidden = true;
  }

  async open(span) {
    this.now = span;
    this.element.hidden = false;
    try {
      const all = await askLines(`span/${this.id}/${span}`);
      if (this.now === span) this.fill(all[0], all[1], all[2] && all[2].text);
    } catch (e) {
      if (this.now !== span) return;
      fill(this.element, this.top('Call'), e.status === 404 && embedded
        ? empty('Left out', 'The values of this call are not in the file: it holds those that failed and the longest ones.') : trouble(e));
    }
  }

  top(title) {
    return el('div.paneltop', null, el('h2', null, title), el('button.quiet', { type: 'button', 'aria-label': 'Close', onclick: () => this.on.closed() }, '✕'));
  }

  place(p) {
    return el('li', null, el('button.link', { type: 'button', onclick: () => this.on.go(p) }, this.head.names[p.name] || '?'),
      el('span.dim', null, `  ${p.duration_ns < 0 ? 'open' : fmtNs(p.duration_ns)}`), p.flags & FAILED ? el('span.badtext', null, '  failed') : null);
  }

  fill(s, around, reason) {
    const start = s.start_unix_ns - this.head.start_unix_ns;
    const figures = [['Time', fmtNs(s.duration_ns)], ['Self', fmtNs(s.self_ns)], ['CPU', fmtNs(s.cpu_ns)], s.queue_ns ? ['Queued', fmtNs(s.queue_ns)] : null, ['Begun at', `+${fmtNs(start)}`]].filter(Boolean);
    const facts = [['object', base(s.object)], ['symbol', s.symbol !== s.name ? s.symbol : null], ['thread', s.thread_name ? `${s.thread_name} (${s.tid})` : s.tid], ['process', s.pid],
      ['ended by', s.ended_by], ['no parent', s.orphan], ['host', s.host], ['service', s.service], ['span', s.span_id], ['parent', s.parent_span_id]];
    const above = around && around.above ? [...around.above].reverse() : [];
    fill(this.element, this.top(s.name || '?'),
      el('div.chips', null, badge(s), s.slow ? el('span.badge.warn', null, 'slow') : null, s.overdue ? el('span.badge.warn', null, 'overdue') : null),
      el('dl.figures', null, figures.map(([k, v]) => el('div', null, el('dt', null, k), el('dd', null, v)))),
      errorSections(s.error, reason),
      values('Input', s.input, s.capture), values('Output', s.output, s.capture), values('Attributes', s.attributes),
      s.overdue ? section('Where it stood when it was overdue', stackBare((s.overdue.where || {}).stack || s.overdue.where)) : null,
      above.length ? section('Called from', el('ul.path', null, above.map((p) => this.place(p)))) : null,
      around && around.below && around.below.length ? section(`Calls (${around.is_all ? around.below.length : `first ${around.below.length}`})`, el('ul.path', null, around.below.map((p) => this.place(p)))) : null,
      (s.links || []).length ? section('Links', el('ul.path', null, s.links.map((l) => el('li', null, el('a', { href: href(['trace', l.trace_id || this.id], { span: l.span_id }) }, el('code', null, l.span_id)))))) : null,
      section('Where', el('table.values', null, el('tbody', null, facts.filter(([, v]) => v !== null && v !== undefined && v !== '').map(([k, v]) => el('tr', null, el('th', { scope: 'row' }, k), el('td', null, el('span.value', null, String(v)))))))));
    if (around && around.place) this.on.placed(around.place);
  }
}
