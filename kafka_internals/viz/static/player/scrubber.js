// The scrubber: steps evenly spaced, gaps of time as breaks, marks by kind, chapters, two lanes.
const WEIGHT = ["violation", "fault", "difference", "term", "cut", "advance", "member", "wait",
                "append", "byte", "message"];        // which mark stays where there is no room
const MARK = 15, BREAK = 60, BREAKS = 0.4;           // px, px, share of the line at most

class Scrubber {
  constructor(film, seek) {
    this.film = film;
    this.el = make("div", `ki-scrub${film.fork ? " ki-forked" : ""}`);
    this.track = make("div", "ki-track", null, { "aria-hidden": true });
    this.range = make("input", "", null, { type: "range", min: 0, "aria-label": "Step",
                                           "data-lm-suppress-shortcuts": true });
    this.range.addEventListener("input", () => seek(Number(this.range.value)));
    this.el.append(this.track, this.range);
    const drag = e => { if (e.buttons & 1) seek(this.nearest(e.clientX)); };
    this.el.addEventListener("pointerdown", e => {
      this.el.setPointerCapture(e.pointerId);
      e.preventDefault();
      this.range.focus();
      drag(e);
    });
    this.el.addEventListener("pointermove", drag);
  }

  load(reel) {
    this.reel = reel;
    this.range.max = Math.max(0, reel.last);
    this.layout();
  }

  nearest(clientX) {
    const box = this.track.getBoundingClientRect(), at = (clientX - box.left) / box.width;
    const far = this.places.map(place => Math.abs(place - at));
    return far.indexOf(Math.min(...far));
  }

  // places[i] in 0..1; a gap over ten times the median step is as wide as its label. Of many gaps
  // the longest are drawn as breaks.
  measure() {
    const { frames, last } = this.reel, width = this.track.clientWidth || 600;
    const steps = frames.slice(1).map((frame, i) => frame.t_us - frames[i].t_us);
    const moved = steps.filter(us => us > 0).sort((a, b) => a - b);
    const median = moved[Math.floor(moved.length / 2)];
    this.gaps = steps.map((us, i) => ({ us, i })).filter(({ us }) => us > 10 * median)
      .sort((a, b) => b.us - a.us).slice(0, Math.floor(width * BREAKS / BREAK));
    const room = width - this.gaps.length * BREAK;
    const unit = room / Math.max(1, last), gap = (width - room) / (this.gaps.length || 1);
    let x = 0;
    this.places = [0, ...steps.map((_, i) =>
      (x += unit + (this.gaps.some(g => g.i === i) ? gap : 0)) / width)];
    this.width = width;
  }

  layout() {
    if (!this.reel || this.reel.last < 0) return;
    this.measure();
    this.track.replaceChildren();
    this.past = [];
    for (const [look, a, b] of this.rails()) this.line(look, a, b);
    for (const { us, i } of this.gaps) this.put(make("i", "ki-gap", span(us)),
      (this.places[i] + this.places[i + 1]) / 2);
    this.marks();
    this.chapters();
    if (this.film.fork) this.forks();
    this.head = this.put(make("i", "ki-head-dot"), 0);
    if (this.cursor != null) this.show(this.cursor);
  }

  rails() {
    const last = this.reel.last;
    if (!this.film.fork) return [["trunk", 0, last]];
    const at = this.reel.since(this.film.fork.at_us);
    return [["trunk", 0, at], ["up", at, last], ["down", at, last]];
  }

  put(element, place) {
    element.style.left = `${place * 100}%`;
    this.track.append(element);
    return element;
  }

  line(look, a, b) {
    for (const past of [false, true]) {
      const line = this.put(make("i", `ki-line ki-line-${look}`), this.places[a]);
      line.classList.toggle("ki-past", past);
      line.style.width = `${(this.places[b] - this.places[a]) * 100}%`;
      if (past) this.past.push({ line, from: this.places[a], to: this.places[b] });
    }
  }

  marks() {
    const rank = i => WEIGHT.indexOf(this.film.kind(this.reel.frames[i].event));
    const order = this.reel.frames.map((_, i) => i).sort((a, b) => rank(a) - rank(b) || a - b);
    const taken = { A: [], B: [] };
    this.marked = [];
    for (const i of order) {
      const { event, lane = "A" } = this.reel.frames[i], x = this.places[i] * this.width;
      if (!this.film.event.has(event) || taken[lane].some(other => Math.abs(other - x) < MARK))
        continue;
      taken[lane].push(x);
      const sign = mark(this.film.kind(event));
      sign.classList.add("ki-onscrub", `ki-lane-${lane.toLowerCase()}`);
      this.marked.push({ sign, i });
      this.put(sign, this.places[i]);
    }
  }

  chapters() {
    const { fork } = this.film, named = [...this.film.chapters];
    if (fork?.difference_us != null)
      named.push({ at_us: fork.difference_us, title: "first difference" });
    let edge = -Infinity;
    for (const { at_us, title } of named.sort((a, b) => a.at_us - b.at_us)) {
      const place = this.places[this.reel.since(at_us)], x = place * this.width;
      const label = this.put(make("span", "ki-chapter", title), place);
      const left = x + label.offsetWidth > this.width + 10;
      label.classList.toggle("ki-left-of", left);
      const start = left ? x - label.offsetWidth : x;
      if (start < edge + 6 || start < -10) label.remove();
      else edge = start + label.offsetWidth;
    }
  }

  forks() {
    this.put(make("i", "ki-fork"), this.places[this.reel.since(this.film.fork.at_us)]);
    for (const letter of ["A", "B"])
      this.put(make("i", `ki-end ki-end-${letter.toLowerCase()}`, letter), 1);
  }

  show(i) {
    this.cursor = i;
    if (!this.places || i > this.reel.last) return;
    const frame = this.reel.frames[i], at = this.places[i];
    this.range.value = i;
    const when = this.film.timeless ? "" : `, ${clock(frame.t_us)}`;
    this.range.setAttribute("aria-valuetext", plain(
      `step ${i + 1} of ${this.reel.last + 1}${when}: ${frame.say}`));
    this.head.style.left = `${at * 100}%`;
    for (const { line, from, to } of this.past)
      line.style.width = `${Math.max(0, Math.min(at, to) - from) * 100}%`;
    for (const { sign, i: step } of this.marked) sign.classList.toggle("ki-past", step <= i);
  }

  // The next (or previous) frame whose mark is of the same kind.
  same(i, way) {
    const kind = this.film.kind(this.reel.frames[i].event);
    for (let at = i + way; at >= 0 && at <= this.reel.last; at += way)
      if (this.film.kind(this.reel.frames[at].event) === kind) return at;
    return i;
  }
}
