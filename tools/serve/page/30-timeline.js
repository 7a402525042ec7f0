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
    this.stop = fitCanvas(this.canvas, () => { this.want(); this.draw(); });
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

  again() {
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
    if (!h || h.first > first || h.last < last) return false;
    const from = Math.max(0, this.from - span * 0.1); const to = Math.min(this.head.end_ns, this.to + span * 0.1);
    return h.from <= from && h.to >= to && (h.cell <= 1 || h.cell <= (span / this.width) * 1.6);
  }

  async want() {
    const [first, last] = this.visibleLanes();
    if (this.waiting || this.gone || this.fits(this.have, first, last)) return;
    const span = this.to - this.from;
    const all = !this.whole;
    const from = all ? 0 : Math.max(0, Math.floor(this.from - span));
    const to = all ? this.head.end_ns + 1 : Math.min(this.head.end_ns + 1, Math.ceil(this.to + span));
    const px = Math.min(20000, Math.max(200, Math.ceil((this.width * (to - from)) / span)));
    this.waiting = new AbortController();
    try {
      const answer = await askOne(`bars/${this.id}`, { from, to: Math.max(to, from + 1), px, first, last }, this.waiting.signal);
      this.take(answer, embedded ? 0 : first, embedded ? Infinity : last);
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
    if (!this.whole) this.whole = this.have;
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
    this.have = null;
    this.whole = null;
    this.again();
  }

  // ---- drawing ----

  draw() {
    const c = this.canvas; const g = c.getContext('2d');
    const scale = devicePixelRatio || 1;
    const W = c.clientWidth; const H = c.clientHeight;
    this.paint = { text: css('--text'), dim: css('--dim'), line: css('--line'), back: css('--back'), raised: css('--raised'), bad: css('--bad'), amber: css('--amber'), focus: css('--focus'), ink: css('--ink'), lane: css('--lane') };
    const p = this.paint;
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.fillStyle = p.back;
    g.fillRect(0, 0, W, H);
    g.save();
    g.beginPath();
    g.rect(0, MAP + AXIS, W, H - MAP - AXIS);
    g.clip();
    g.translate(0, MAP + AXIS - this.scroll);
    this.drawGrid(g);
    for (const item of this.items) {
      if (item.y + item.h < this.scroll || item.y > this.scroll + this.room) continue;
      if (item.lane) this.drawLane(g, item); else this.drawProcess(g, item);
    }
    if (this.showLinks) this.drawLinks(g);
    if (this.showCritical) this.drawCritical(g);
    this.drawChosen(g);
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
    this.paints++;
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
      g.fillText(t === 0 ? '0' : fmtNs(t), x + 4, MAP + AXIS / 2);
    }
    g.fillText(`${fmtNs(this.to - this.from)} in view`, 8, MAP + AXIS / 2);
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
  }

  drawLane(g, { y, h, index }) {
    const p = this.paint; const left = this.gutter; const right = left + this.width;
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
      let drawnTo = -1;
      for (let i = firstAfter(bars, this.from); i < bars.length; i += 6) {
        const start = bars[i];
        if (start > this.to) break;
        const ns = bars[i + 1]; const flags = bars[i + 3];
        let x = left + (start - this.from) * scale;
        let x2 = ns < 0 ? right : left + (start + ns - this.from) * scale;
        if (x2 < drawnTo + 0.4 && !(flags & FAILED)) continue;
        x = Math.max(left, x);
        x2 = Math.min(right, Math.max(x2, x + 1));
        drawnTo = x2;
        const name = names[bars[i + 2]] || '?';
        const w = x2 - x;
        g.fillStyle = colourOf(name);
        if (bars[i + 4] > 1) {
          g.globalAlpha = 0.75;
          g.fillRect(x, top + 2, w, ROW - 4);
          g.globalAlpha = 1;
        } else g.fillRect(x, top + 1, w > 3 ? w - 0.6 : w, ROW - 2);
        if (flags & FAILED) {
          g.fillStyle = p.bad;
          g.fillRect(x, top + 1, Math.max(2, Math.min(w, 3)), ROW - 2);
          if (w > 6) g.fillRect(x, top + ROW - 3, w, 2);
        } else if (flags & (OPEN | UNFINISHED)) {
          g.fillStyle = p.amber;
          g.fillRect(Math.max(x, x2 - 3), top + 1, 3, ROW - 2);
        }
        if (w > 26) this.label(g, bars[i + 4] > 1 ? `${fmtCount(bars[i + 4])} calls` : name, x, w, top, ns);
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
    g.globalAlpha = 0.55;
    for (const [lane, row, at, lane2, row2, at2, named] of this.have.links) {
      const x = this.x(at2); const x0 = this.x(at);
      if (x < this.gutter || x0 > this.gutter + this.width) continue;
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
      if (to < this.from || from > this.to || lane < 0) continue;
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

  // The whole trace at a glance; what is in view is drawn as a window.
  drawMap(g, W) {
    const p = this.paint; const left = this.gutter; const end = this.head.end_ns || 1;
    g.fillStyle = p.raised;
    g.fillRect(0, 0, W, MAP);
    const scale = this.width / end;
    const lanes = this.head.lanes.length;
    const h = Math.max(1, Math.min(6, (MAP - 8) / Math.max(1, lanes)));
    const per = Math.max(1, Math.floor((MAP - 6) / h));
    for (let i = 0; this.whole && i < lanes; i++) {
      const rows = this.whole.lanes.get(i);
      const bars = rows && (rows[Math.min(1, rows.length - 1)] || rows[0]);
      if (!bars) continue;
      const y = 4 + (i % per) * h;
      let until = -1;
      for (let b = 0; b < bars.length; b += 6) {
        const x = left + bars[b] * scale;
        const w = Math.max(0.7, (bars[b + 1] < 0 ? end - bars[b] : bars[b + 1]) * scale);
        if (x + w < until + 0.5 && !(bars[b + 3] & FAILED)) continue;
        until = x + w;
        g.fillStyle = bars[b + 3] & FAILED ? p.bad : colourOf(this.head.names[bars[b + 2]] || '?');
        g.fillRect(x, y, w, Math.max(1, h - 0.5));
      }
    }
    g.fillStyle = p.focus;
    for (const b of this.found) g.fillRect(left + b.start_ns * scale, 0, 1.5, 4);
    const x = left + this.from * scale; const w = Math.max(3, (this.to - this.from) * scale);
    g.globalAlpha = 0.14;
    g.fillStyle = p.text;
    g.fillRect(left, 0, Math.max(0, x - left), MAP);
    g.fillRect(x + w, 0, Math.max(0, left + this.width - x - w), MAP);
    g.globalAlpha = 1;
    g.strokeStyle = p.focus;
    g.lineWidth = 1;
    g.strokeRect(Math.round(x) + 0.5, 0.5, Math.round(w) - 1, MAP - 1);
    g.fillStyle = p.dim;
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    g.fillText(`whole: ${fmtNs(end)}`, 8, MAP / 2);
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
