// SPDX-License-Identifier: Apache-2.0
// Mouse and keys of the waterfall; see 30-timeline.js.

Object.assign(Timeline.prototype, {
  show(from, to) {
    const end = Math.max(1, this.head.end_ns);
    const span = Math.min(end * 1.02, Math.max(20, to - from));
    let begin = Math.max(-0.01 * end, Math.min(from, end * 1.01 - span));
    const perPixel = span / (this.width * (devicePixelRatio || 1));
    const moved = this.last && Math.abs(this.last.span - span) < perPixel * 0.01;
    // by whole pixels, so that what is drawn can be shifted
    if (moved) begin = this.last.from + Math.round((begin - this.last.from) / perPixel) * perPixel;
    this.from = begin;
    this.to = begin + (moved ? this.last.span : span);
    this.again(moved);
    clearTimeout(this.noting);
    this.noting = setTimeout(() => {
      const all = this.to - this.from >= end * 0.999;
      remember({ from: all ? null : Math.round(this.from), to: all ? null : Math.round(this.to) });
    }, 300);
  },
  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  },
  zoomTo(b) {
    const ns = b.duration_ns < 0 ? this.head.end_ns - b.start_ns : b.duration_ns;
    this.show(b.start_ns - ns * 0.1 - 10, b.start_ns + ns * 1.1 + 10);
  },
  all() { this.show(0, this.head.end_ns); },
  scrollBy(dy) {
    this.scroll = Math.max(0, Math.min(Math.max(0, this.height - this.room), this.scroll + dy));
    this.again();
  },
  wheel(e) {
    e.preventDefault();
    const step = (this.to - this.from) / this.width;
    if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 160), this.ns(e.offsetX));
    else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      const dx = e.shiftKey ? e.deltaY + e.deltaX : e.deltaX;
      this.show(this.from + dx * step, this.to + dx * step);
    } else if (this.height > this.room) this.scrollBy(e.deltaY);
    else this.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 220), this.ns(e.offsetX));
  },
  press(e) {
    if (e.button !== 0) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.held = { x: e.offsetX, y: e.offsetY, from: this.from, to: this.to, scroll: this.scroll, map: e.offsetY < MAP, moved: false };
    if (this.held.map) this.mapTo(e.offsetX);
  },
  mapTo(x) {
    const at = ((x - this.gutter) / this.width) * this.head.end_ns; const half = (this.to - this.from) / 2;
    this.show(at - half, at + half);
  },
  move(e) {
    const h = this.held;
    if (!h) { this.hover(e); return; }
    if (Math.abs(e.offsetX - h.x) + Math.abs(e.offsetY - h.y) > 3) h.moved = true;
    if (h.map) { this.mapTo(e.offsetX); return; }
    if (!h.moved) return;
    tip();
    const dx = ((h.x - e.offsetX) * (h.to - h.from)) / this.width;
    this.show(h.from + dx, h.to + dx);
    this.scroll = h.scroll;
    this.scrollBy(h.y - e.offsetY);
  },
  release(e) {
    const h = this.held;
    this.held = null;
    if (!h || h.moved || h.map) return;
    const hit = this.hit(e.offsetX, e.offsetY);
    if (hit) this.choose(hit, true);
    else if (e.offsetX < this.gutter) {
      const item = this.items.find((i) => !i.lane && e.offsetY - MAP - AXIS + this.scroll >= i.y && e.offsetY - MAP - AXIS + this.scroll < i.y + i.h);
      if (item && item.process.span_id) this.on.select(item.process.span_id);
    }
  },
  hover(e) {
    const hit = this.hit(e.offsetX, e.offsetY);
    this.canvas.style.cursor = hit ? 'pointer' : e.offsetY < MAP ? 'ew-resize' : 'grab';
    if (!hit) { tip(); return; }
    tip(e, el('strong', null, hit.count > 1 ? `${fmtCount(hit.count)} calls, the longest of ` : '', hit.text), el('div', null,
      `${hit.duration_ns < 0 ? 'still open' : fmtNs(hit.duration_ns)}, at ${fmtNs(hit.start_ns)}`,
      hit.flags & FAILED ? el('span.badtext', null, hit.count > 1 ? '  some failed' : '  failed') : null,
      hit.flags & UNFINISHED ? el('span.warntext', null, '  unfinished') : null),
    hit.count > 1 ? el('div.dim', null, 'zoom in to see them') : null);
  },
  laneAt(y) {
    const at = y - MAP - AXIS + this.scroll;
    return y < MAP + AXIS ? null : this.items.find((i) => i.lane && at >= i.y && at < i.y + i.h);
  },
  hit(x, y) {
    const item = this.laneAt(y);
    if (!item || x < this.gutter) return null;
    const row = Math.floor((y - MAP - AXIS + this.scroll - item.y) / ROW);
    const bars = this.rowsOf(item.index)[row];
    if (!bars) return null;
    const at = this.ns(x); const slack = ((this.to - this.from) / this.width) * 2;
    let best = null;
    for (let i = firstAfter(bars, at - slack); i < bars.length && bars[i] <= at + slack; i += 6) {
      const end = bars[i + 1] < 0 ? Infinity : bars[i] + bars[i + 1];
      const off = at < bars[i] ? bars[i] - at : at > end ? at - end : 0;
      if (off <= slack && (!best || off <= best.off)) best = { off, i };
    }
    return best && this.bar(item.index, row, bars, best.i);
  },
  bar(lane, row, bars, i) {
    return { lane, row, i, start_ns: bars[i], duration_ns: bars[i + 1], text: this.head.names[bars[i + 2]] || '?', flags: bars[i + 3], count: bars[i + 4], counter: bars[i + 5] };
  },
  // A block of many is zoomed into; a call is opened.
  choose(hit, open) {
    this.selected = hit;
    this.again();
    say(`${hit.count > 1 ? `${hit.count} calls, ` : ''}${hit.text}, ${hit.duration_ns < 0 ? 'open' : fmtNs(hit.duration_ns)}${hit.flags & FAILED ? ', failed' : ''}, at ${fmtNs(hit.start_ns)}, thread ${this.head.lanes[hit.lane].thread_name || hit.lane}`);
    if (open && hit.count > 1) this.zoomTo(hit);
    else if (open) this.on.open(hit);
  },
  // Into view, with what is around it.
  reveal(place) {
    this.selected = { ...place, text: this.head.names[place.name] || '?', count: 1 };
    const ns = place.duration_ns < 0 ? this.head.end_ns - place.start_ns : place.duration_ns;
    const end = place.start_ns + ns; const span = this.to - this.from;
    if (place.start_ns < this.from || end > this.to || ns < span / 150)
      this.show(place.start_ns - Math.max(ns * 4, 100), end + Math.max(ns * 4, 100));
    const y = this.laneY[place.lane] + place.row * ROW;
    if (y < this.scroll || y + ROW > this.scroll + this.room) { this.scroll = 0; this.scrollBy(y - this.room / 2); }
    this.again();
  },
  step(along, deep) {
    const s = this.selected;
    if (!s) {
      for (const item of this.items) {
        if (!item.lane) continue;
        const bars = this.rowsOf(item.index)[0];
        if (bars && bars.length) { this.choose(this.bar(item.index, 0, bars, firstAfter(bars, this.from)), false); return; }
      }
      return;
    }
    let { lane, row } = s; let bars = this.rowsOf(lane)[row] || [];
    let i = firstAfter(bars, s.start_ns + 0.5);
    if (along) i += along * 6;
    if (deep) {
      row += deep;
      while (lane >= 0 && lane < this.head.lanes.length && !this.rowsOf(lane)[row]) { lane += deep; row = deep > 0 ? 0 : (this.rowsOf(lane).length || 1) - 1; }
      bars = this.rowsOf(lane)[row] || [];
      i = firstAfter(bars, s.start_ns + 0.5);
      if (bars[i] + Math.max(0, bars[i + 1]) < s.start_ns && i + 6 < bars.length && deep > 0) i += 6;
    }
    if (i < 0 || i >= bars.length || !bars.length) return;
    const next = this.bar(lane, row, bars, i);
    if (next.start_ns < this.from || next.start_ns > this.to) { const half = (this.to - this.from) / 2; this.show(next.start_ns - half, next.start_ns + half); }
    const y = this.laneY[lane] + row * ROW;
    if (y < this.scroll) this.scrollBy(y - this.scroll); else if (y + ROW > this.scroll + this.room) this.scrollBy(y + ROW - this.scroll - this.room);
    this.choose(next, false);
  },
  key(e) {
    const span = this.to - this.from;
    const does = {
      ArrowLeft: () => (e.shiftKey ? this.show(this.from - span / 8, this.to - span / 8) : this.step(-1, 0)),
      ArrowRight: () => (e.shiftKey ? this.show(this.from + span / 8, this.to + span / 8) : this.step(1, 0)),
      ArrowUp: () => (e.shiftKey ? this.scrollBy(-ROW * 3) : this.step(0, -1)),
      ArrowDown: () => (e.shiftKey ? this.scrollBy(ROW * 3) : this.step(0, 1)),
      PageUp: () => this.scrollBy(-this.room * 0.8),
      PageDown: () => this.scrollBy(this.room * 0.8),
      a: () => this.show(this.from - span / 8, this.to - span / 8),
      d: () => this.show(this.from + span / 8, this.to + span / 8),
      w: () => this.zoom(0.6), s: () => this.zoom(1 / 0.6), '+': () => this.zoom(0.6), '=': () => this.zoom(0.6), '-': () => this.zoom(1 / 0.6),
      0: () => this.all(), Home: () => this.all(),
      z: () => this.selected && this.zoomTo(this.selected),
      Enter: () => this.selected && this.choose(this.selected, true),
      ' ': () => this.selected && this.choose(this.selected, true),
      Escape: () => { this.selected = null; this.again(); this.on.select(null); },
    }[e.key];
    if (!does || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    does();
  },
});
