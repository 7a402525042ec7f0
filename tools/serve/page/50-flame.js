// SPDX-License-Identifier: Apache-2.0
// Flame graphs: width is time, the root on top. Of one trace by self time; of
// two traces as their difference.

const FLAME_ROW = 20;

// Lines of `export -f folded` to a tree: {name, self, total, children}.
function foldedTree(...texts) {
  const make = (name, up) => ({ name, up, self: texts.map(() => 0), total: texts.map(() => 0), children: new Map(), depth: up ? up.depth + 1 : 0 });
  const root = make('all', null);
  texts.forEach((text, side) => {
    for (const line of text.split('\n')) {
      const at = line.lastIndexOf(' ');
      if (at < 0) continue;
      const ns = Number(line.slice(at + 1));
      let node = root;
      node.total[side] += ns;
      for (const name of line.slice(0, at).split(';')) {
        let next = node.children.get(name);
        if (!next) { next = make(name, node); node.children.set(name, next); }
        next.total[side] += ns;
        node = next;
      }
      node.self[side] += ns;
    }
  });
  return root;
}

// Self time by name, over all paths.
function selfByName(root) {
  const all = new Map();
  const visit = (node) => {
    const sum = all.get(node.name) || { name: node.name, self: node.self.map(() => 0) };
    node.self.forEach((ns, i) => { sum.self[i] += ns; });
    all.set(node.name, sum);
    node.children.forEach(visit);
  };
  root.children.forEach(visit);
  return [...all.values()];
}

class Flame {
  // weight(node): its width; colour(node), words(node): for people.
  constructor(root, options) {
    this.root = root;
    this.top = root;
    this.options = options;
    this.chosen = null;
    this.find = '';
    this.boxes = [];
    this.canvas = el('canvas.flame', { tabindex: 0, role: 'application', 'aria-roledescription': 'flame graph', 'aria-label': `${options.label}. Arrow keys go up, down and to the neighbours; Enter zooms in, Escape out. The table beside it has the same figures.` });
    this.crumbs = el('div.crumbs');
    this.element = el('div.flamebox', null, this.crumbs, el('div.flamescroll', null, this.canvas));
    this.depth = this.deepest(root);
    this.canvas.style.height = `${(this.depth + 1) * FLAME_ROW + 4}px`;
    this.stop = fitCanvas(this.canvas, () => this.draw());
    this.canvas.addEventListener('pointermove', (e) => this.hover(e));
    this.canvas.addEventListener('pointerleave', () => tip());
    this.canvas.addEventListener('click', (e) => { const hit = this.hit(e); if (hit) { this.chosen = hit; this.zoom(hit); } });
    this.canvas.addEventListener('keydown', (e) => this.key(e));
    this.canvas.addEventListener('focus', () => this.draw());
    this.canvas.addEventListener('blur', () => this.draw());
    this.showCrumbs();
  }

  deepest(node) {
    let most = 0; const stack = [node];
    while (stack.length) { const n = stack.pop(); most = Math.max(most, n.depth); n.children.forEach((c) => stack.push(c)); }
    return Math.min(most, 400);
  }

  // Where everything is drawn: those above the zoomed one over the whole width.
  place() {
    const W = this.canvas.clientWidth; this.boxes = [];
    for (let up = this.top; up; up = up.up) this.boxes.push({ node: up, x: 0, w: W, y: up.depth * FLAME_ROW });
    const stack = [[this.top, 0, W]];
    while (stack.length) {
      const [node, x, w] = stack.pop();
      const whole = this.options.weight(node);
      let at = x;
      const children = [...node.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const child of children) {
        const width = whole > 0 ? (w * this.options.weight(child)) / whole : 0;
        if (width >= 0.4) {
          this.boxes.push({ node: child, x: at, w: width, y: child.depth * FLAME_ROW });
          if (child.depth < 400) stack.push([child, at, width]);
        }
        at += width;
      }
    }
  }

  draw() {
    const c = this.canvas; const g = c.getContext('2d'); const scale = devicePixelRatio || 1;
    this.place();
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.fillStyle = css('--back');
    g.fillRect(0, 0, c.clientWidth, c.clientHeight);
    g.font = '12px system-ui, sans-serif';
    g.textBaseline = 'middle';
    const ink = css('--ink'); const focus = css('--focus'); const text = css('--text');
    const wanted = this.find.toLowerCase();
    for (const { node, x, w, y } of this.boxes) {
      g.globalAlpha = wanted && !node.name.toLowerCase().includes(wanted) ? 0.3 : 1;
      g.fillStyle = node === this.root ? css('--line') : this.options.colour(node);
      g.fillRect(x, y + 1, Math.max(0.6, w - 0.8), FLAME_ROW - 2);
      if (w > 34) {
        g.fillStyle = node === this.root ? text : ink;
        const most = Math.floor((w - 8) / 6.5);
        const words = this.options.words(node);
        g.fillText(words.length <= most ? words : node.name.length > most ? `${node.name.slice(0, Math.max(1, most - 1))}…` : node.name, x + 5, y + FLAME_ROW / 2 + 0.5);
      }
      if (node === this.chosen) {
        g.globalAlpha = 1;
        g.strokeStyle = text;
        g.lineWidth = 2;
        g.strokeRect(x + 1, y + 2, Math.max(1, w - 3), FLAME_ROW - 4);
      }
    }
    g.globalAlpha = 1;
    if (document.activeElement === c) { g.strokeStyle = focus; g.lineWidth = 2; g.strokeRect(1, 1, c.clientWidth - 2, c.clientHeight - 2); }
  }

  hit(e) {
    const box = this.boxes.find((b) => e.offsetX >= b.x && e.offsetX < b.x + b.w && e.offsetY >= b.y && e.offsetY < b.y + FLAME_ROW);
    return box && box.node;
  }

  hover(e) {
    const node = this.hit(e);
    this.canvas.style.cursor = node ? 'pointer' : 'default';
    if (node) tip(e, ...this.options.tip(node)); else tip();
  }

  zoom(node) {
    this.top = node;
    this.showCrumbs();
    this.draw();
    say(`${node.name}, ${this.options.words(node)}`);
  }

  showCrumbs() {
    const all = [];
    for (let up = this.top; up; up = up.up) all.unshift(up);
    fill(this.crumbs, all.map((node, i) => [i ? el('span.dim', null, ' › ') : null, el('button.link', { type: 'button', onclick: () => this.zoom(node) }, node.name)]));
  }

  key(e) {
    const now = this.chosen || this.top;
    const big = (node) => [...node.children.values()].sort((a, b) => this.options.weight(b) - this.options.weight(a));
    const beside = (step) => {
      if (!now.up) return now;
      const all = [...now.up.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return all[Math.max(0, Math.min(all.length - 1, all.indexOf(now) + step))];
    };
    const next = { ArrowDown: () => big(now)[0] || now, ArrowUp: () => now.up || now, ArrowLeft: () => beside(-1), ArrowRight: () => beside(1) }[e.key];
    if (next) { this.chosen = next(); say(`${this.chosen.name}, ${this.options.words(this.chosen)}`); this.draw(); }
    else if (e.key === 'Enter' || e.key === ' ') this.zoom(now);
    else if (e.key === 'Escape') this.zoom(this.top.up || this.root);
    else return;
    e.preventDefault();
  }
}

async function tabFlame(body, id, row, query, signal) {
  const root = foldedTree(await ask(`folded/${id}`, {}, signal));
  const whole = root.total[0];
  if (!whole) { fill(body, empty('No time', 'No call with a time of its own is in the store.')); return null; }
  const flame = new Flame(root, {
    label: `Flame graph of ${fmtNs(whole)} of the threads' time`,
    weight: (n) => n.total[0], colour: (n) => (n.name.startsWith('(') ? css('--muted') : colourOf(n.name)),
    words: (n) => `${n.name}  ${fmtNs(n.total[0])}`,
    tip: (n) => [el('strong', null, n.name), el('div', null, `${fmtNs(n.total[0])} with what it calls, ${fmtShare(n.total[0], whole)}`), el('div', null, `${fmtNs(n.self[0])} of its own, ${fmtShare(n.self[0], whole)}`)],
  });
  const find = el('input', { type: 'search', placeholder: 'Highlight', 'aria-label': 'Highlight names', oninput: (e) => { flame.find = e.target.value; flame.draw(); } });
  const rows = selfByName(root).filter((r) => r.self[0] > 0);
  fill(body, el('div.bar.tools', null, find, el('span.dim', null, 'Time of all threads, by who called whom; what it took itself is not covered by what stands below.'), el('span.grow'), el('button', { type: 'button', onclick: () => flame.zoom(root) }, 'All')),
    flame.element,
    table([{ title: 'Handler', get: (r) => r.name, left: true, kind: 'wide' }, { title: 'Self', get: (r) => r.self[0], show: (r) => fmtNs(r.self[0]) }, { title: 'Share', get: (r) => r.self[0], show: (r) => fmtShare(r.self[0], whole) }], rows, { by: 1, label: 'Self time by handler', most: 200 }));
  return () => flame.stop();
}
