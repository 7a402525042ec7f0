// SPDX-License-Identifier: Apache-2.0
// Which view is shown, and its first moment.

const VIEWS = [['', 'Traces'], ['handlers', 'Handlers'], ['errors', 'Errors'], ['open', 'Open now']];
let leave = null;
let current = null;

// The token comes with the address that was printed, and leaves it at once.
function takeToken() {
  const m = /^#token=([A-Za-z0-9_-]+)(?:&(.*))?$/.exec(location.hash);
  if (!m) return;
  keep(KEY, m[1]);
  history.replaceState(null, '', `#${m[2] || '/'}`);
}

function showNav(first) {
  const place = first === 'trace' || first === 'diff' ? '' : first || '';
  fill(byId('nav'), embedded ? [] : VIEWS.map(([key, words]) => el('a', { href: `#/${key}`, 'aria-current': key === place ? 'page' : null }, words)));
}

async function showView() {
  if (current) current.abort();
  if (leave) { leave(); leave = null; }
  const mine = new AbortController();
  current = mine;
  tip();
  const { parts, query } = route();
  const main = byId('main');
  main.className = '';
  showNav(parts[0]);
  document.title = `${{ handlers: 'Handlers', errors: 'Errors', open: 'Open now', diff: 'Compare', trace: `Trace ${(parts[1] || '').slice(0, 8)}` }[parts[0]] || 'Traces'} – handspan`;
  try {
    let ended = null;
    if (embedded && parts[0] !== 'trace') { location.replace(href(['trace', embedded.trace_id])); return; }
    if (!parts.length) ended = await viewTraces(main, query, mine.signal);
    else if (parts[0] === 'trace' && parts[1]) ended = await viewTrace(main, parts[1], parts[2], query, mine.signal);
    else if (parts[0] === 'handlers') ended = await viewHandlers(main, query, mine.signal);
    else if (parts[0] === 'errors') ended = await viewErrors(main, parts[1], query, mine.signal);
    else if (parts[0] === 'open') ended = await viewOpen(main, query, mine.signal);
    else if (parts[0] === 'diff') ended = await viewDiff(main, parts.slice(1), query, mine.signal);
    else fill(main, trouble(new Refused(404, 'The address names no view.'), 'h1'));
    if (current === mine) leave = ended || null; else if (ended) ended();
  } catch (e) {
    if (current === mine && e.name !== 'AbortError') fill(main, trouble(e, 'h1'));
  }
  document.documentElement.dataset.ready = String(Date.now());
}

addEventListener('hashchange', () => { takeToken(); showView(); });
addEventListener('keydown', (e) => {
  if (e.key !== '/' || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
  const box = byId('search') || document.querySelector('input[type=search]');
  if (box) { e.preventDefault(); box.focus(); box.select(); }
});
byId('theme').addEventListener('click', () => setTheme(themes[(themes.indexOf(themeNow) + 1) % themes.length]));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { setTheme(themeNow); paintSwatches(document); });
themeListeners.add(() => paintSwatches(document));
takeToken();
setTheme(stored(THEME) || 'auto');
if (embedded) byId('top').append(el('span.dim.embed', null, `A report: values of ${fmtCount(embedded.told)} of ${fmtCount(embedded.calls)} calls`));
showView();
