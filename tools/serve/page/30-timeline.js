// SPDX-License-Identifier: Apache-2.0
// The waterfall: threads as lanes, calls as bars. Only what is seen (and a bit
// on both sides) is fetched, so dense that a bar is no narrower than a pixel.

const ROW = 17; const HEAD = 20; const GAP = 5; const AXIS = 22; const MAP = 34;
const FAILED = 1; const OPEN = 2; const UNFINISHED = 4;

class Timeline {
  // on: {select(spanId), hover(text)}
  constructor(id, head, on) {
    this.id = id;
    this.head = head;
    this.on = on;
    this.from = 0;
    this.to = Math.max(1, head.end_ns);
    this.scroll = 0;
    this.have = null; // {from, to, cell, first, last, lanes}
    this.whole = null; // the first one: for the map, and while waiting
    this.found = [];
    this.critical = null;
    this.showCritical = true;
    this.showLinks = true;
    this.selected = null;
    this.waiting = null;
    this.paints = 0;
    this.layOut();
    this.build();
  }

  // ---- where everything stands ----

  layOut() {
    this.items = []; // {y, h, process} or {y, h, lane, index}
    this.laneY = [];
    let y = 0; let process = -2;
    this.head.lanes.forEach((lane, index) => {
      if (lane.process !== process) {
        process = lane.process;
        this.items.push({ y, h: HEAD, process: this.head.processes[process] || {}, number: process });
        y += HEAD;
      }
      const h = lane.rows * ROW;
      this.items.push({ y, h, lane, index });
      this.laneY[index] = y;
      y += h + GAP;
    });
    this.head.processes.forEach((p, number) => {
      if (p.pid === undefined || this.items.some((i) => i.number === number)) return;
      this.items.push({ y, h: HEAD, process: p, number });
      y += HEAD;
    });
    this.height = y + 12;
  }

  build() {
    this.canvas = el('canvas.timeline', { tabindex: 0, role: 'application', 'aria-roledescription': 'timeline',
      'aria-label': `Timeline of ${this.head.lanes.length} threads, ${fmtCount(this.head.spans)} calls. Arrow keys go from call to call, plus and minus zoom, Enter opens a call, 0 shows all.` });
    this.element = el('div.timelinebox', null, this.canvas);
    this.stop = fitCanvas(this.canvas, () => { this.map = null; this.dirty = true; this.want(); this.draw(); });
    const c = this.canvas;
    c.addEventListener('wheel', (e) => this.wheel(e), { passive: false });
    c.addEventListener('pointerdown', (e) => this.press(e));
    c.addEventListener('pointermove', (e) => this.move(e));
    c.addEventListener('pointerup', (e) => this.release(e));
    c.addEventListener('pointerleave', () => tip());
    c.addEventListener('dblclick', (e) => { const hit = this.hit(e.offsetX, e.offsetY); if (hit) this.zoomTo(hit); });
    c.addEventListener('keydown', (e) => this.key(e));
    c.addEventListener('focus', () => this.again());
    c.addEventListener('blur', () => this.again());
  }

  close() {
    this.stop();
    if (this.waiting) this.waiting.abort();
  }

  get gutter() { return this.canvas.clientWidth < 700 ? 90 : 176; }
  get width() { return Math.max(10, this.canvas.clientWidth - this.gutter); }
  get room() { return this.canvas.clientHeight - AXIS - MAP; }
  x(ns) { return this.gutter + ((ns - this.from) / (this.to - this.from)) * this.width; }
  ns(x) { return this.from + ((x - this.gutter) / this.width) * (this.to - this.from); }

  // Draw soon; `moved`: nothing but the window in time is another.
  again(moved) {
    if (!moved) this.dirty = true;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.want(); this.draw(); });
  }

  // ---- what is fetched ----

  visibleLanes() {
    let first = -1; let last = -1;
    for (const item of this.items) {
      if (!item.lane || item.y + item.h < this.scroll - 200 || item.y > this.scroll + this.room + 200) continue;
      if (first < 0) first = item.index;
      last = item.index;
    }
    return [Math.max(0, first), Math.max(0, last)];
  }

  fits(h, first, last) {
    const span = this.to - this.from;
    if (!h || this.stale || h.first > first || h.last < last) return false;
    const from = Math.max(0, this.from - span * 0.1); const to = Math.min(this.head.end_ns, this.to + span * 0.1);
    return h.from <= from && h.to >= to && (h.cell <= 1 || h.cell <= (span / this.width) * 1.6);
  }

  async want() {
    let [first, last] = this.visibleLanes();
    if (this.waiting || this.gone || this.fits(this.have, first, last)) return;
    const span = this.to - this.from;
    const all = !this.whole || (this.stale && this.from <= 0);
    if (all && this.head.lanes.length <= 64) { first = 0; last = Math.max(0, this.head.lanes.length - 1); }
    const from = all ? 0 : Math.max(0, Math.floor(this.from - span));
    const to = all ? this.head.end_ns + 1 : Math.min(this.head.end_ns + 1, Math.ceil(this.to + span));
    const px = Math.min(20000, Math.max(200, Math.ceil((this.width * (to - from)) / span)));
    this.waiting = new AbortController();
    try {
      const answer = await askOne(`bars/${this.id}`, { from, to: Math.max(to, from + 1), px, first, last }, this.waiting.signal);
      this.take(answer, embedded ? 0 : first, embedded ? Infinity : last);
      if (this.critical && !embedded) this.critical = (await askOne(`critical/${this.id}`, { from, to: Math.max(to, from + 1), px }, this.waiting.signal)).path;
    } catch (e) {
      if (e.name !== 'AbortError') this.gone = true;
      if (this.gone) this.on.trouble(e);
    }
    this.waiting = null;
    this.again();
  }

  take(answer, first, last) {
    const lanes = new Map();
    for (const [lane, row, bars] of answer.rows) {
      if (!lanes.has(lane)) lanes.set(lane, []);
      lanes.get(lane)[row] = bars;
    }
    this.have = { from: answer.from_ns, to: answer.to_ns, cell: embedded ? 1 : answer.cell_ns, first, last, lanes, links: answer.links };
    if (!this.whole || (answer.from_ns <= 0 && answer.to_ns > this.head.end_ns)) { this.whole = this.have; this.map = null; }
    this.stale = false;
  }

  rowsOf(index) {
    const now = this.have && this.have.lanes.get(index);
    return now || (this.whole && this.whole.lanes.get(index)) || [];
  }

  // The live end of a trace that runs.
  grow(head) {
    const followed = this.to >= this.head.end_ns * 0.999;
    this.head = head;
    this.layOut();
    if (followed) this.to = Math.max(this.to, head.end_ns);
    this.stale = true; // what there is stays in view until the new one comes
    this.again();
  }

  // ---- drawing ----

  // A window that only moved is shifted, and what came into view is drawn; once
  // it rests, all of it is, so that names stand where they belong.
  draw() {
    const begun = performance.now();
    const scale = devicePixelRatio || 1; const last = this.last;
    const span = this.to - this.from; const perPixel = span / (this.width * scale);
    let shift = null;
    if (!this.dirty && last && last.scroll === this.scroll && Math.abs(last.span - span) < perPixel * 0.01) {
      shift = Math.round((last.from - this.from) / perPixel);
      if (Math.abs(shift) > this.width * scale * 0.7) shift = null;
    }
    if (shift === null) this.drawAll(scale); else this.drawMoved(scale, shift);
    this.last = { from: this.from, span, scroll: this.scroll };
    this.dirty = false;
    this.paints++;
    this.took = performance.now() - begun;
    clearTimeout(this.resting);
    if (shift) this.resting = setTimeout(() => this.again(), 150);
  }

  drawMoved(scale, shift) {
    const c = this.canvas; const g = c.getContext('2d');
    const x = Math.round(this.gutter * scale); const y = Math.round((MAP + AXIS) * scale);
    const w = c.width - x; const h = c.height - y; const by = Math.abs(shift);
    g.setTransform(1, 0, 0, 1, 0, 0);
    if (shift > 0) g.drawImage(c, x, y, w - by, h, x + by, y, w - by, h);
    else if (shift < 0) g.drawImage(c, x + by, y, w - by, h, x, y, w - by, h);
    g.setTransform(scale, 0, 0, scale, 0, 0);
    if (shift) {
      const left = shift > 0 ? this.gutter : this.gutter + this.width - (by + 1) / scale;
      this.drawBody(g, left, left + (by + 1) / scale);
    }
    this.drawMap(g, c.clientWidth);
    this.drawAxis(g, c.clientWidth);
  }

  // What stands between two places of the screen.
  drawBody(g, left, right) {
    const H = this.canvas.clientHeight;
    this.clip = { left, right, from: this.ns(left), to: this.ns(right), whole: right - left >= this.width - 1 };
    g.save();
    g.beginPath();
    g.rect(left, MAP + AXIS, right - left, H - MAP - AXIS);
    g.clip();
    g.fillStyle = this.paint.back;
    g.fillRect(left, MAP + AXIS, right - left, H - MAP - AXIS);
    g.translate(0, MAP + AXIS - this.scroll);
    this.drawGrid(g);
    for (const item of this.items) {
      if (item.y + item.h < this.scroll || item.y > this.scroll + this.room) continue;
      if (item.lane) this.drawLane(g, item); else this.drawProcess(g, item);
    }
    if (this.showLinks) this.drawLinks(g);
    if (this.showCritical) this.drawCritical(g);
    this.drawChosen(g);
    g.restore();
  }

  drawAll(scale) {
    const c = this.canvas; const g = c.getContext('2d');
    const W = c.clientWidth; const H = c.clientHeight;
    this.paint = { text: css('--text'), dim: css('--dim'), line: css('--line'), back: css('--back'), raised: css('--raised'), bad: css('--bad'), amber: css('--amber'), focus: css('--focus'), ink: css('--ink'), lane: css('--lane') };
    const p = this.paint;
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.fillStyle = p.back;
    g.fillRect(0, 0, W, H);
    this.drawBody(g, this.gutter, this.gutter + this.width);
    g.save();
    g.beginPath();
    g.rect(0, MAP + AXIS, W, H - MAP - AXIS);
    g.clip();
    g.translate(0, MAP + AXIS - this.scroll);
    for (const item of this.items)
      if (!(item.y + item.h < this.scroll || item.y > this.scroll + this.room)) this.drawGutter(g, item);
    g.restore();
    this.drawMap(g, W);
    this.drawAxis(g, W);
    if (document.activeElement === c) {
      g.strokeStyle = p.focus;
      g.lineWidth = 2;
      g.strokeRect(1, 1, W - 2, H - 2);
    }
  }

  ticks() {
    const target = (this.to - this.from) / Math.max(2, this.width / 130);
    const power = 10 ** Math.floor(Math.log10(Math.max(1, target)));
    let step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= target) || power * 10;
    if (target > 3e10) step = [3e10, 6e10, 12e10, 3e11, 6e11, 12e11, 18e11, 36e11, 72e11, 216e11, 432e11, 864e11].find((s) => s >= target) || Math.ceil(target / 864e11) * 864e11;
    const all = [];
    for (let t = Math.ceil(this.from / step) * step; t <= this.to && all.length < 100; t += step) all.push(t);
    return all;
  }

  // As exact as the ticks are apart.
  tick(t) {
    if (t === 0) return '0';
    const all = this.ticks(); const step = all.length > 1 ? all[1] - all[0] : t;
    if (t < 6e10 || step >= 1e9) {
      const unit = t < 1e3 ? ['ns', 1] : t < 1e6 ? ['µs', 1e3] : t < 1e9 ? ['ms', 1e6] : ['s', 1e9];
      if (t >= 6e10) return fmtNs(t);
      const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / unit[1]) - 1e-9)));
      return `${(t / unit[1]).toFixed(digits)} ${unit[0]}`;
    }
    const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / 1e9) - 1e-9)));
    const minutes = Math.floor(t / 6e10);
    return `${minutes}m${((t - minutes * 6e10) / 1e9).toFixed(digits).padStart(digits ? 3 + digits : 2, '0')}s`;
  }

  drawGrid(g) {
    g.fillStyle = this.paint.line;
    for (const t of this.ticks()) g.fillRect(Math.round(this.x(t)), this.scroll, 1, this.room);
  }

  drawAxis(g, W) {
    const p = this.paint;
    g.fillStyle = p.back;
    g.fillRect(0, MAP, W, AXIS);
    g.font = '11px system-ui, sans-serif';
    g.fillStyle = p.dim;
    g.textBaseline = 'middle';
    for (const t of this.ticks()) {
      const x = this.x(t);
      if (x < this.gutter - 1 || x > W - 30) continue;
      g.fillText(this.tick(t), x + 4, MAP + AXIS / 2);
    }
    g.fillText(`in view: ${fmtNs(this.to - this.from)}`, 8, MAP + AXIS / 2);
    g.fillStyle = p.line;
    g.fillRect(0, MAP + AXIS - 1, W, 1);
  }

  drawProcess(g, { y, process: q }) {
    const p = this.paint;
    const x = Math.max(this.gutter, this.x(q.start_ns || 0));
    const end = q.duration_ns === null || q.duration_ns === undefined ? this.to : q.start_ns + q.duration_ns;
    const x2 = Math.min(this.gutter + this.width, this.x(end));
    g.fillStyle = q.status === 'error' ? p.bad : p.dim;
    g.globalAlpha = 0.45;
    if (x2 > x) g.fillRect(x, y + HEAD - 5, Math.max(1, x2 - x), 2);
    g.globalAlpha = 1;
    if (!q.loading_ns) return; // from the exec until a handler could run
    const x3 = Math.min(this.gutter + this.width, this.x(q.start_ns + q.loading_ns));
    g.fillStyle = p.line;
    if (x3 > x) g.fillRect(x, y + 3, x3 - x, HEAD - 8);
    g.fillStyle = p.dim;
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    if (x3 - x > 110 && this.clip.whole) g.fillText(`loading  ${fmtNs(q.loading_ns)}`, x + 6, y + HEAD / 2 - 0.5);
  }

  drawLane(g, { y, h, index }) {
    const p = this.paint; const left = this.gutter; const right = left + this.width; const clip = this.clip;
    g.fillStyle = p.lane;
    g.fillRect(left, y, this.width, h);
    const rows = this.rowsOf(index);
    const scale = this.width / (this.to - this.from);
    const names = this.head.names;
    for (let row = 0; row < rows.length; row++) {
      const bars = rows[row];
      if (!bars) continue;
      const top = y + row * ROW;
      if (top + ROW < this.scroll || top > this.scroll + this.room) continue;
      let drawnTo = -1; let style = null;
      for (let i = firstAfter(bars, clip.from); i < bars.length; i += 6) {
        const start = bars[i];
        if (start > clip.to) break;
        const ns = bars[i + 1]; const flags = bars[i + 3];
        let x = left + (start - this.from) * scale;
        let x2 = ns < 0 ? right : left + (start + ns - this.from) * scale;
        if (x2 < drawnTo + 0.8 && !(flags & FAILED)) continue;
        const begins = x >= left;
        x = Math.max(left, x);
        x2 = Math.min(right, Math.max(x2, x + 1));
        drawnTo = x2;
        const name = names[bars[i + 2]] || '?';
        const w = x2 - x;
        const colour = colourOf(name);
        if (colour !== style) { g.fillStyle = colour; style = colour; }
        if (bars[i + 4] > 1) g.fillRect(x, top + 2.5, w, ROW - 5);
        else g.fillRect(x, top + 1, w > 3 ? w - 0.6 : w, ROW - 2);
        if (flags || w > 26) style = null;
        if (flags & FAILED) {
          g.fillStyle = p.bad;
          g.fillRect(x, top + 1, Math.max(2, Math.min(w, 3)), ROW - 2);
          if (w > 6) g.fillRect(x, top + ROW - 3, w, 2);
        } else if (flags & (OPEN | UNFINISHED)) {
          g.fillStyle = p.amber;
          g.fillRect(Math.max(x, x2 - 3), top + 1, 3, ROW - 2);
        }
        if (w > 26 && (begins || clip.whole)) this.label(g, bars[i + 4] > 1 ? `${fmtCount(bars[i + 4])} calls` : name, x, w, top, ns);
      }
    }
  }

  label(g, name, x, w, top, ns) {
    g.fillStyle = this.paint.ink;
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    const room = w - 9; const most = Math.floor(room / 6.1);
    if (most < 2) return;
    const text = name.length > most ? `${name.slice(0, Math.max(1, most - 1))}…` : name;
    g.fillText(text, x + 5, top + ROW / 2 + 0.5);
    const rest = most - text.length;
    if (rest > 12 && ns > 0) {
      g.globalAlpha = 0.7;
      g.fillText(fmtNs(ns), x + 5 + g.measureText(text).width + 8, top + ROW / 2 + 0.5);
      g.globalAlpha = 1;
    }
  }

  drawGutter(g, item) {
    const p = this.paint; const { y, h } = item;
    g.fillStyle = p.back;
    g.fillRect(0, y, this.gutter - 1, h + (item.lane ? GAP : 0));
    g.fillStyle = p.line;
    g.fillRect(this.gutter - 1, y, 1, h + GAP);
    g.textBaseline = 'middle';
    const chars = Math.floor((this.gutter - 24) / 6);
    const cut = (s) => (s.length > chars ? `${s.slice(0, chars - 1)}…` : s);
    if (item.lane) {
      g.font = '11px system-ui, sans-serif';
      g.fillStyle = p.dim;
      g.fillText(cut(`${item.lane.thread_name || 'thread'} ${item.lane.tid ?? ''}`), 18, y + ROW / 2);
    } else {
      g.font = '600 11.5px system-ui, sans-serif';
      g.fillStyle = item.process.status === 'error' ? p.bad : p.text;
      g.fillText(cut(`${item.process.name || 'process'} ${item.process.pid ?? ''}`), 8, y + HEAD / 2);
    }
  }

  drawLinks(g) {
    if (!this.have || !this.have.links) return;
    const p = this.paint;
    g.lineWidth = 1;
    const s = this.selected;
    const touches = (lane, row, at) => s && s.lane === lane && s.row === row && at >= s.start_ns && (s.duration_ns < 0 || at <= s.start_ns + s.duration_ns);
    const inView = this.have.links.filter(([, , at, , , at2]) => at2 >= this.from && at <= this.to);
    const seen = this.clip.whole ? inView : inView.filter(([, , at, , , at2]) => at2 >= this.clip.from - 1 && at <= this.clip.to);
    const many = inView.length > 60; // then they are shown of the chosen call, and a breath of the others
    for (const [lane, row, at, lane2, row2, at2, named] of seen) {
      const x = this.x(at2); const x0 = this.x(at);
      const chosen = touches(lane, row, at) || touches(lane2, row2, at2);
      if (x < this.gutter || (many && !chosen && inView.length > 400)) continue;
      g.globalAlpha = chosen ? 0.95 : many ? 0.12 : 0.5;
      const y = this.laneY[lane] + row * ROW + ROW / 2; const y2 = this.laneY[lane2] + row2 * ROW + ROW / 2;
      g.strokeStyle = named ? p.amber : p.dim;
      g.setLineDash(named ? [3, 3] : []);
      const bend = Math.max(8, Math.min(60, Math.abs(x - x0) / 2));
      g.beginPath();
      g.moveTo(Math.max(this.gutter, Math.max(x0, x - 120)), y);
      g.bezierCurveTo(x - bend / 2, y, x - bend, y2, x, y2);
      g.stroke();
      g.beginPath();
      g.moveTo(x, y2);
      g.lineTo(x - 4, y2 - 3);
      g.lineTo(x - 4, y2 + 3);
      g.fillStyle = g.strokeStyle;
      g.fill();
    }
    g.setLineDash([]);
    g.globalAlpha = 1;
  }

  drawCritical(g) {
    if (!this.critical) return;
    g.fillStyle = this.paint.amber;
    for (const [lane, row, from, to] of this.critical) {
      if (to < this.clip.from || from > this.clip.to || lane < 0) continue;
      const x = Math.max(this.gutter, this.x(from)); const x2 = Math.min(this.gutter + this.width, this.x(to));
      g.fillRect(x, this.laneY[lane] + row * ROW + ROW - 3, Math.max(1, x2 - x), 2.5);
    }
  }

  outline(g, b, colour, width) {
    const x = Math.max(this.gutter, this.x(b.start_ns));
    const end = b.duration_ns < 0 ? this.head.end_ns : b.start_ns + b.duration_ns;
    const x2 = Math.min(this.gutter + this.width, Math.max(this.x(end), x + 3));
    if (x2 < this.gutter || x > this.gutter + this.width) return;
    g.strokeStyle = colour;
    g.lineWidth = width;
    g.strokeRect(x, this.laneY[b.lane] + b.row * ROW + 1, x2 - x, ROW - 2);
  }

  drawChosen(g) {
    for (const b of this.found.slice(0, 3000)) this.outline(g, b, this.paint.focus, 1);
    if (this.selected) this.outline(g, this.selected, this.paint.text, 2);
  }
}

// Bars are six numbers each, in order of start, and do not overlap.
function firstAfter(bars, from) {
  let low = 0; let high = bars.length / 6;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle * 6] < from) low = middle + 1; else high = middle;
  }
  return Math.max(0, low - 1) * 6;
}
