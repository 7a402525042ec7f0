// SPDX-License-Identifier: Apache-2.0
// The page of handspan. Everything that came from a program is put into the
// document as text (el(), textContent), never as markup.
'use strict';

// ---- elements ---------------------------------------------------------------

const SVG = 'http://www.w3.org/2000/svg';

// el('div.card', {title: t, onclick: f}, 'text', child, [more]).
function el(what, properties, ...children) {
  const [name, ...classes] = what.split('.');
  const svg = name.startsWith('svg:');
  const made = svg ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name || 'div');
  if (classes.length) made.setAttribute('class', classes.join(' '));
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === undefined || child === null || child === false) continue;
    made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

const byId = (id) => document.getElementById(id);
const fill = (parent, ...children) => {
  parent.replaceChildren(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return parent;
};

// What a screen reader is told.
function say(text) {
  byId('said').textContent = text;
}

// ---- figures ----------------------------------------------------------------

function fmtNs(ns) {
  if (ns === null || ns === undefined) return '–';
  const sign = ns < 0 ? '-' : '';
  const n = Math.abs(ns);
  const cut = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));
  if (n < 1000) return `${sign}${Math.round(n)} ns`;
  if (n < 1e6) return `${sign}${cut(n / 1e3)} µs`;
  if (n < 1e9) return `${sign}${cut(n / 1e6)} ms`;
  if (n < 6e10) return `${sign}${cut(n / 1e9)} s`;
  const seconds = Math.floor(n / 1e9);
  const two = (x) => String(x).padStart(2, '0');
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86400) return `${sign}${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`;
  return `${sign}${Math.floor(seconds / 86400)}d${two(Math.floor(seconds / 3600) % 24)}h`;
}
const fmtCount = (n) => (n === null || n === undefined ? '–' : Number(n).toLocaleString('en'));
function fmtBytes(n) {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (n >= 1000 && at < 4) { n /= 1000; at++; }
  return `${at && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}
const plural = (n, word) => `${fmtCount(n)} ${word}${n === 1 ? '' : 's'}`;
function fmtShare(part, whole) {
  if (!whole || part === null || part === undefined) return '–';
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 1 ? '<1 %' : `${percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)} %`;
}
// Nanoseconds since 1970 pass through a double; milliseconds are exact enough.
function fmtTime(unixNs, withDay = true) {
  const d = new Date(unixNs / 1e6);
  const two = (n) => String(n).padStart(2, '0');
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return withDay ? `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${time}` : time;
}
// On an axis of that length: as exact as its ticks are apart.
function fmtTick(unixNs, spanNs) {
  if (spanNs > 864e11) return fmtTime(unixNs).slice(5, 16);
  return fmtTime(unixNs, false) + (spanNs < 1e10 ? `.${String(Math.floor(unixNs / 1e6) % 1000).padStart(3, '0')}` : '');
}
function fmtAgo(unixNs, nowNs = Date.now() * 1e6) {
  const ns = nowNs - unixNs;
  return ns < 1e9 ? 'now' : `${fmtNs(ns).replace(/m\d\ds$/, ' min').replace(/h\d\dm$/, ' h').replace(/d\d\dh$/, ' days')} ago`;
}

const SIGNALS = { 1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 4: 'SIGILL', 5: 'SIGTRAP', 6: 'SIGABRT', 7: 'SIGBUS', 8: 'SIGFPE', 9: 'SIGKILL', 11: 'SIGSEGV', 13: 'SIGPIPE', 14: 'SIGALRM', 15: 'SIGTERM', 24: 'SIGXCPU', 25: 'SIGXFSZ', 31: 'SIGSYS' };

// How a trace or a process ended: [words, class].
function outcome(t) {
  if (t.status === 'open') return ['running', 'live'];
  if (t.signal) return [SIGNALS[t.signal] || `signal ${t.signal}`, t.status === 'error' ? 'bad' : 'warn'];
  if (t.status === 'error') return [t.exit_code ? `exit ${t.exit_code}` : 'failed', 'bad'];
  if (t.status === 'unfinished') return ['unfinished', 'warn'];
  if (t.exit_code) return [`exit ${t.exit_code}`, 'warn'];
  return ['ok', 'good'];
}
function badge(t) {
  const [words, kind] = outcome(t);
  return el(`span.badge.${kind}`, null, words);
}

// ---- asking -----------------------------------------------------------------

const embedded = (() => {
  const at = byId('embedded');
  return at ? JSON.parse(at.textContent) : null;
})();
const KEY = 'handspan-token';
let asking = 0;

class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, parameters = {}, signal = undefined) {
  if (embedded) {
    const answer = embedded.answers[path];
    if (answer === undefined) throw new Refused(404, 'This is not in the file.');
    return answer;
  }
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters))
    if (value !== undefined && value !== null && value !== '') query.set(key, value);
  const text = String(query);
  busy(1);
  try {
    const answer = await fetch(`/api/${path}${text ? `?${text}` : ''}`, {
      signal, credentials: 'omit', cache: 'no-store',
      headers: { Authorization: `Bearer ${localStorage.getItem(KEY) || ''}` },
    });
    const body = await answer.text();
    if (answer.ok) return body;
    let why = body;
    try { why = JSON.parse(body).error; } catch { /* as it stands */ }
    throw new Refused(answer.status, why);
  } catch (e) {
    if (e instanceof TypeError) throw new Refused(0, 'handspan serve does not answer any more.');
    throw e;
  } finally {
    busy(-1);
  }
}
const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
const askLines = async (...all) => lines(await ask(...all));
const askOne = async (...all) => JSON.parse(await ask(...all));

let busyTimer = 0;
function busy(change) {
  asking += change;
  clearTimeout(busyTimer);
  busyTimer = setTimeout(() => { byId('busy').textContent = asking > 0 ? 'reading …' : ''; }, asking > 0 ? 400 : 0);
}

// ---- what went wrong --------------------------------------------------------

function trouble(error, head = 'h2') {
  if (error.name === 'AbortError') return null;
  const words = {
    401: ['No token', 'Open the address that “handspan serve” printed: it ends in #token=…'],
    0: ['Not there', 'handspan serve does not answer any more. Start it again and open the address that it prints.'],
    404: ['Not there', `${error.message}${embedded ? '' : ' (retention may have taken it)'}`],
  }[error.status] || ['That did not work', error.message];
  return el('div.empty', { role: 'alert' }, el(head, null, words[0]), el('p', null, words[1]),
    error.status === 404 && !embedded ? el('a.primary', { href: href([]) }, 'All traces') : null);
}
const empty = (title, text) => el('div.empty', null, el('h2', null, title), el('p', null, text));

// ---- the address ------------------------------------------------------------

// '#/trace/ID/flame?span=…' -> {parts, query}.
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  return { parts: path.split('/').filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query || '') };
}
function href(parts, query = {}) {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== '') text.set(key, value);
  return `#/${parts.map(encodeURIComponent).join('/')}${String(text) ? `?${text}` : ''}`;
}
// The same view with other parameters, without a step in the history.
function remember(changes) {
  const { parts, query } = route();
  const all = Object.fromEntries(query);
  history.replaceState(null, '', href(parts, { ...all, ...changes }));
}

// ---- theme ------------------------------------------------------------------

const THEME = 'handspan-theme';
const themes = ['auto', 'light', 'dark'];
let themeNow = 'auto';
const themeListeners = new Set();
function stored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}
function keep(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a file may have no store */ }
}
const isDark = () => themeNow === 'dark' || (themeNow === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
function setTheme(name) {
  themeNow = themes.includes(name) ? name : 'auto';
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  byId('theme').textContent = { auto: '◐ Auto', light: '○ Light', dark: '● Dark' }[themeNow];
  byId('theme').setAttribute('aria-label', `Theme: ${themeNow}`);
  keep(THEME, themeNow);
  for (const listener of themeListeners) listener();
}
// A colour of the theme; asked for once a theme, since it is needed each frame.
const themed = new Map();
themeListeners.add(() => themed.clear());
function css(name) {
  let value = themed.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    themed.set(name, value);
  }
  return value;
}

// A handler's colour: calm, dark text is legible on it, kept away from the red
// of failures and the amber of the critical path. By its name; of two that
// would look alike the second takes the next one that is free.
const HUES = [212, 158, 264, 92, 188, 306, 126, 236, 70, 172, 284, 200];
const SHADES = 3;
const taken = new Map(); // name -> number
const owners = new Array(HUES.length * SHADES).fill(0);
function placeOf(name) {
  let place = taken.get(name);
  if (place !== undefined) return place;
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822507);
  hash = (hash ^ (hash >>> 13)) >>> 0;
  place = hash % owners.length;
  const least = Math.min(...owners);
  // other hues first: shades of one look alike
  for (let i = 0; i < owners.length && (owners[place] > least || (taken.size < HUES.length && hueTaken(place))); i++) place = (place + 7) % owners.length;
  owners[place]++;
  taken.set(name, place);
  return place;
}
const hueTaken = (place) => owners.some((n, i) => n && i % HUES.length === place % HUES.length);
const colours = new Map();
function colourOf(name) {
  let colour = colours.get(name);
  if (!colour) {
    const place = placeOf(name); const dark = isDark();
    const shade = Math.floor(place / HUES.length) - 1;
    colour = `hsl(${HUES[place % HUES.length]} ${(dark ? 32 : 50) + 8 * shade}% ${(dark ? 66 : 78) - 6 * shade}%)`;
    colours.set(name, colour);
  }
  return colour;
}
themeListeners.add(() => colours.clear());

// ---- small parts ------------------------------------------------------------

// A table that can be sorted by its heads. columns: {title, get, show, left}.
function table(columns, rows, options = {}) {
  let by = options.by ?? 0;
  let down = options.down ?? true;
  const body = el('tbody');
  const heads = columns.map((c, i) => !c.title ? el('td') : el(`th${c.left ? '.left' : ''}`, { scope: 'col' },
    el('button.sort', { type: 'button', onclick: () => { down = by === i ? !down : !c.left; by = i; draw(); } }, c.title)));
  function draw() {
    const get = columns[by].get;
    const sorted = options.fixed ? rows : [...rows].sort((a, b) => {
      const x = get(a); const y = get(b);
      const order = typeof x === 'string' || typeof y === 'string' ? String(x ?? '').localeCompare(String(y ?? '')) : (x ?? -Infinity) - (y ?? -Infinity);
      return down ? -order : order;
    });
    heads.forEach((h, i) => { if (columns[i].title) h.setAttribute('aria-sort', i === by ? (down ? 'descending' : 'ascending') : 'none'); });
    fill(body, sorted.slice(0, options.most || 1000).map((row) => el('tr', options.row ? options.row(row) : null,
      columns.map((c) => el(`td${c.left ? '.left' : ''}${c.kind ? `.${c.kind}` : ''}`, null, c.show ? c.show(row) : c.get(row))))));
  }
  draw();
  return el('div.scroll', { tabindex: 0, role: 'region', 'aria-label': options.label },
    el('table', null, el('caption.hidden', null, options.label), el('thead', null, el('tr', null, heads)), body));
}

function choice(label, value, all, onchange) {
  return el('label.field', null, el('span', null, label), el('select', { onchange: (e) => onchange(e.target.value) },
    all.map(([key, words]) => el('option', { value: key, selected: key === value }, words))));
}
function entry(label, value, placeholder, onchange) {
  return el('label.field', null, el('span', null, label), el('input', { type: 'search', value, placeholder, spellcheck: 'false', onchange: (e) => onchange(e.target.value) }));
}

// A canvas in device pixels that draws when its size or the theme changes.
function fitCanvas(canvas, draw) {
  const size = () => {
    const scale = devicePixelRatio || 1;
    const w = Math.max(1, Math.round(canvas.clientWidth * scale));
    const h = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    draw();
  };
  const observer = new ResizeObserver(size);
  observer.observe(canvas);
  themeListeners.add(draw);
  return () => { observer.disconnect(); themeListeners.delete(draw); };
}

function tip(event, ...content) {
  const box = byId('tip');
  if (!event || !content.length) { box.hidden = true; return; }
  fill(box, content);
  box.hidden = false;
  const x = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
  const y = event.clientY + 18 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : event.clientY + 18;
  box.style.left = `${Math.max(4, x)}px`;
  box.style.top = `${Math.max(4, y)}px`;
}
