// The stages: one actor for each shape, tweened by key in the phases of a step.
const PHASES = { exit: [0, 0.25], move: [0.1, 0.7], enter: [0.4, 0.8], effect: [0.6, 1],
                 rise: [0.15, 0.85], sink: [0, 0.5] };
const LATE = 0.55;                                  // when a forward step changes looks and texts
const ease = t => t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
const target = shape => {
  const to = { o: shape.o ?? 1 };
  for (const name of SHAPES.numbers) if (name in shape) to[name] = Number(shape[name]);
  return to;
};
const share = (at, [from, to]) => Math.min(1, Math.max(0, (at - from) / (to - from)));

class Actor {
  constructor(key, shape, parent) {
    this.el = svg(shape.k === "group" ? "g" : shape.k);
    this.key = key;
    this.v = { o: 1 };
    this.written = {};
    this.become(shape);
    Object.assign(this.v, target(shape));
    parent.append(this.el);
  }

  // Take the new shape; in a forward step its look and its text come late, and together.
  become(shape, late = false) {
    const old = this.shape;
    this.flush();
    this.shape = shape;
    if (old?.c !== shape.c) this.newLook = classes(shape.c);
    if (shape.k === "text" && old?.t !== shape.t) this.newText = plain(shape.t);
    if (shape.d && old?.d !== shape.d && PATH.test(shape.d)) this.el.setAttribute("d", shape.d);
    const pick = shape.a || shape.i;
    this.el.classList.toggle("ki-pick", Boolean(pick));
    pick ? this.el.dataset.key = this.key : delete this.el.dataset.key;
    if (!late) this.flush();
  }

  flush() {
    if (this.newText != null) this.el.textContent = this.newText;
    if (this.newLook != null)
      this.el.setAttribute("class", this.newLook + (this.el.dataset.key ? " ki-pick" : "") +
                           (this.same ? " ki-same" : ""));
    this.newText = this.newLook = null;
  }

  mark(same) {
    this.same = same;
    this.el.classList.toggle("ki-same", same);
  }

  put(name, value) {
    const text = String(value);
    if (this.written[name] !== text) this.el.setAttribute(name, this.written[name] = text);
  }

  write() {
    const names = SHAPES.kinds[this.shape.k], round = n => Math.round(n * 100) / 100;
    for (const name in names)
      if (Number.isFinite(this.v[name])) this.put(names[name], round(this.v[name]));
    if (SHAPES.moved.includes(this.shape.k))
      this.put("transform", `translate(${round(this.v.x)} ${round(this.v.y)})`);
    this.put("opacity", Math.round(this.v.o * 1000) / 1000);
  }

  // Where it will stand: [x, y, x2, y2] within its group.
  box() {
    const { k, x, y, w, h, r, x2, y2 } = this.shape;
    if (k === "rect") return [x, y, x + w, y + h];
    if (k === "circle") return [x - r, y - r, x + r, y + r];
    if (k === "line")
      return [Math.min(x, x2), Math.min(y, y2), Math.max(x, x2), Math.max(y, y2)];
    const b = this.el.getBBox(), moved = k === "text" ? [x - this.v.x, y - this.v.y] : [x, y];
    return [b.x + moved[0], b.y + moved[1], b.x + b.width + moved[0], b.y + b.height + moved[1]];
  }
}

// All stages of a film: one svg, or two side by side.
class Theatre {
  constructor(stages) {
    this.stages = stages;
    this.layers = stages.map(() => new Map());
    this.actors = new Map();
    this.leaving = [];
    this.tween = null;
    this.frame = 0;
    this.same = this.chosen = "";
  }

  layer(stage, z) {
    const known = this.layers[stage];
    if (!known.has(z)) {
      const g = svg("g", { "data-z": z }), svgs = this.stages[stage];
      svgs.insertBefore(g, [...svgs.children].find(c => Number(c.dataset.z) > z) ?? null);
      known.set(z, g);
    }
    return known.get(z);
  }

  parent(shape) {
    return this.actors.get(shape.g)?.el ?? this.layer(shape.st ?? 0, Number(shape.z) || 0);
  }

  // Show a scene within `ms` (0: at once); `forward` plays the phases, `after` runs when it rests.
  show(scene, { ms = 0, forward = true, now = new Set(), lane = null, after = () => {} } = {}) {
    for (const actor of this.leaving.splice(0)) actor.el.remove();
    this.clearNow();
    for (const one of this.stages) one.classList.toggle("ki-live", Boolean(ms && forward));
    const moves = [...this.exits(scene, ms, forward), ...this.entries(scene, ms, forward)];
    const light = () => this.highlight(now, lane);
    this.tween = { began: performance.now(), ms, moves, after, light, late: ms && forward };
    if (!ms) return this.finish();
    this.tick(this.tween.began);
  }

  exits(scene, ms, forward) {
    const moves = [];
    for (const [key, actor] of this.actors) {
      const next = scene.get(key), s = actor.shape;
      if (next?.k === s.k && next.g === s.g && next.z === s.z) continue;
      this.actors.delete(key);
      if (!ms || next) { actor.el.remove(); continue; }
      this.leaving.push(actor);
      if (s.g && !scene.has(s.g)) continue;             // it goes with its group
      const sinks = forward && s.gx != null;
      const to = sinks ? { o: 0, x: actor.v.x + s.gx, y: actor.v.y + s.gy } : { o: 0 };
      moves.push({ actor, from: { ...actor.v }, to, phase: sinks ? PHASES.sink : PHASES.exit });
    }
    return moves;
  }

  entries(scene, ms, forward) {
    const moves = [];
    for (const [key, shape] of scene) {
      const known = this.actors.get(key);
      const move = known ? this.change(known, shape, ms && forward)
        : this.enter(key, shape, ms, forward);
      const actor = this.actors.get(key);
      if (move && ms) moves.push(move);
      else if (known) Object.assign(actor.v, target(shape));
      this.ring(key, actor);
      actor.write();
    }
    return moves;
  }

  change(actor, shape, late) {
    if (actor.shape === shape) actor.flush();
    else actor.become(shape, Boolean(late));
    const to = target(shape);
    const differs = actor.newText != null || actor.newLook != null ||
      Object.keys(to).some(name => actor.v[name] !== to[name]);
    return differs && { actor, from: { ...actor.v }, to,
                        phase: shape.p ? PHASES.effect : PHASES.move };
  }

  enter(key, shape, ms, forward) {
    const inGroup = this.actors.has(shape.g) && this.actors.get(shape.g).fresh;
    const actor = new Actor(key, shape, this.parent(shape));
    this.actors.set(key, actor);
    actor.v.o = shape.o ?? 1;
    actor.fresh = Boolean(ms);
    if (!ms || inGroup) return null;
    const to = { o: actor.v.o }, rises = forward && shape.fx != null;
    if (rises) {
      Object.assign(to, { x: shape.x, y: shape.y });
      actor.v.x += shape.fx;
      actor.v.y += shape.fy;
    }
    actor.v.o = 0;
    const phase = rises ? PHASES.rise : shape.p ? PHASES.effect : PHASES.enter;
    return { actor, from: { ...actor.v }, to, phase, quick: rises };
  }

  tick(time) {
    const tween = this.tween;
    if (!tween) return;
    const at = Math.min(1, Math.max(0, (time - tween.began) / tween.ms));
    for (const move of tween.moves) this.step(move, at);
    if (tween.light && at >= PHASES.effect[0]) { tween.light(); tween.light = null; }
    if (at >= 1) return this.finish();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(t => this.tick(t));
  }

  step({ actor, from, to, phase, quick }, at) {
    const part = share(at, phase), k = ease(part);
    if (at >= (phase === PHASES.effect ? phase[0] : LATE)) actor.flush();
    for (const name in to) {
      const start = from[name] ?? to[name];
      actor.v[name] = name === "o" && quick ? Math.min(to.o, part * 5)
        : start + (to[name] - start) * k;
    }
    actor.write();
  }

  // Everything at its place: what is at rest always shows a state that was.
  finish() {
    const { moves, after, light } = this.tween;
    cancelAnimationFrame(this.frame);
    for (const move of moves) this.step(move, 1);
    for (const actor of this.leaving.splice(0)) actor.el.remove();
    for (const actor of this.actors.values()) actor.fresh = false;
    for (const one of this.stages) one.classList.remove("ki-live");
    this.tween = null;
    light?.();
    after();
  }

  stop() { cancelAnimationFrame(this.frame); this.tween = null; }

  // -- the highlighter, and the numbers of causes ------------------------------------------------
  clearNow() {
    for (const stage of this.stages) {
      for (const old of stage.querySelectorAll(".ki-highlight")) old.remove();
    }
  }

  boxOf(actor) {
    const [x, y, x2, y2] = actor.box(), g = this.actors.get(actor.shape.g);
    if (!g) return [x, y, x2, y2];
    const [dx, dy] = [g.shape.x, g.shape.y];
    return [x + dx, y + dy, x2 + dx, y2 + dy];
  }

  // Boxes of the shapes that answer one of `pairs`; the parts of a thing count as one.
  boxes(pairs) {
    const found = [];
    for (const [key, actor] of this.actors) {
      const { a, st = 0 } = actor.shape, pair = a && pairOf(...a);
      if (!pair || !pairs.has(pair)) continue;
      const box = this.boxOf(actor), whole = found.find(f => f.pair === pair && f.stage === st &&
        (key.startsWith(`${f.key}/`) || f.key.startsWith(`${key}/`)));
      if (!whole) found.push({ key, pair, stage: st, box });
      else whole.box = [0, 1, 2, 3].map(i => Math[i < 2 ? "min" : "max"](whole.box[i], box[i]));
    }
    return found;
  }

  // What was picked, wherever it is: every shape of the same identity.
  mark(same, chosen) {
    Object.assign(this, { same, chosen });
    for (const [key, actor] of this.actors) this.ring(key, actor);
  }

  ring(key, actor) {
    if (actor.shape.k === "rect")
      actor.mark(key === this.chosen || alike(identityOf(actor.shape), this.same));
  }

  highlight(pairs, lane) {
    for (const { stage, box: [x, y, x2, y2] } of this.boxes(pairs)) {
      if (lane && lane !== "AB"[stage]) continue;
      const place = { x: x - 4, y: y - 4, width: x2 - x + 8, height: y2 - y + 8, rx: 8 };
      this.layer(stage, 0).prepend(svg("rect", { ...place, class: "ki-highlight" }));
    }
  }
}
