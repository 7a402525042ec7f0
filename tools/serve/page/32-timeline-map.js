// SPDX-License-Identifier: Apache-2.0
// The whole trace above the waterfall; see 30-timeline.js.

Object.assign(Timeline.prototype, {
  drawMapOnce(g, W, scale) {
    const p = this.paint; const left = this.gutter; const end = this.head.end_ns || 1;
    g.fillStyle = p.raised;
    g.fillRect(0, 0, W, MAP);
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
  },

  // The whole trace at a glance; what is in view is drawn as a window.
  drawMap(g, W) {
    const p = this.paint; const left = this.gutter; const end = this.head.end_ns || 1;
    const scale = this.width / end; const dots = devicePixelRatio || 1;
    if (!this.map) {
      this.map = el('canvas');
      this.map.width = Math.max(1, Math.round(W * dots));
      this.map.height = MAP * dots;
      const m = this.map.getContext('2d');
      m.scale(dots, dots);
      this.drawMapOnce(m, W, scale);
    }
    g.drawImage(this.map, 0, 0, W, MAP);
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
  },
});
