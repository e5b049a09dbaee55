// The player: one cursor; stages, scrubber and panels follow it. Python hears nothing of it.
const STEP = 900, HOLD = 1000, BACK = 160, STILL = 1500;     // ms (VISUAL: motion)
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const KEYS = [
  ["Space", "play, pause"], ["← →", "step back, forward"], ["Home End", "first, last step"],
  ["Page keys", "ten steps"], ["[ ]", "mark of the same kind before, after"],
  [", .", "slower, faster"], ["w", "why"], ["i", "inspect"], ["l", "events"],
  ["b", "truth, or what a node believes"], ["f", "fork here, or back to one run"],
  ["s", "save as a file"], ["?", "this list"],
  ["Esc", "back, out of a picture"], ["Tab", "leave the player"],
];

class Player {
  constructor(root, film, { card, save, event, leave, kernel }) {
    Object.assign(this, { root, film, card, save, kernel, whose: "truth", playing: false, speed: 1,
                          question: null, pick: "", cursor: 0, timer: 0, chosen: "", same: "",
                          exit: leave });
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.reel = film.reel("truth");
    this.build();
    this.listen();
    this.scrubber.load(this.reel);
    this.go(this.reel.at(event ?? film.telling), 0);
  }

  // -- cursor ------------------------------------------------------------------------------------
  pace() { return this.reduced.matches ? 0 : STEP / this.speed; }

  show(i, ms) {
    const forward = i >= this.cursor, { reel } = this;
    this.cursor = i;
    this.resting = false;
    this.tell();
    this.theatre.show(reel.scenes[i], {
      ms, forward, now: this.film.changed(reel, i), lane: reel.frames[i].lane,
      after: () => this.rest() });
  }

  rest() {
    this.resting = true;
    if (!this.playing) return this.annotate();
    const hold = (this.reduced.matches ? STILL : HOLD) / this.speed;
    this.timer = setTimeout(() => this.cursor < this.reel.last
      ? this.show(this.cursor + 1, this.pace()) : this.play(false), hold);
  }

  go(i, ms = this.reduced.matches ? 0 : BACK) {
    if (this.playing) this.play(false);
    this.show(Math.max(0, Math.min(this.reel.last, i)), ms);
  }

  step(way) { this.go(this.cursor + way, way > 0 ? this.pace() : undefined); }
  seek(event) { this.go(this.reel.at(event)); }

  play(on = !this.playing) {
    this.playing = on;
    clearTimeout(this.timer);
    this.playButton.replaceChildren(icon(on ? "pause" : "play"));
    this.playButton.title = on ? "Pause (Space)" : "Play (Space)";
    this.playButton.setAttribute("aria-label", this.playButton.title);
    this.caption.setAttribute("aria-live", on ? "off" : "polite");
    if (!on) return this.resting && this.annotate();
    clearNotes(this.theatre);
    if (this.cursor >= this.reel.last) this.show(0, 0);
    else this.show(this.cursor + 1, this.pace());
  }

  pacing(way) {
    const at = Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(this.speed) + way));
    this.speed = SPEEDS[at];
    this.speedBox.value = this.speed;
  }

  believe(whose) {
    const { event } = this.reel.frames[this.cursor];
    if (this.playing) this.play(false);
    this.whose = whose;
    this.reel = this.film.reel(whose);
    if (this.whoseBox) this.whoseBox.value = whose;
    this.scrubber.load(this.reel);
    this.show(this.reel.at(event), 0);
  }

  // -- what follows the cursor -------------------------------------------------------------------
  tell() {
    const { reel, cursor } = this, frame = reel.frames[cursor];
    const said = plain(frame.say);
    if (this.caption.textContent !== said) this.caption.textContent = said;
    for (const stage of this.theatre.stages) stage.setAttribute("aria-label", said);
    this.time.replaceChildren(make("b", "", clock(frame.t_us)),
                              make("span", "", `${cursor + 1}/${reel.last + 1}`));
    this.root.dataset.step = cursor;
    this.scrubber.show(cursor);
    this.log.follow(reel, cursor);
    this.tip.hidden = true;
    this.panel();
  }

  panel() {
    const { reel, cursor } = this, scene = reel.scenes[cursor];
    for (const name in this.tabs)
      this.tabs[name].setAttribute("aria-pressed", name === this.tab);
    const { event } = reel.frames[cursor], asked = this.question ?? this.newest(scene, event);
    this.why = asked && new Why(this.film, ...asked, event);
    this.follow(scene);
    if (this.tab === "why") this.drawWhy();
    else if (this.tab === "inspect")
      drawInspect(this.body, this.film.details[scene.get(this.pick)?.i], scene, this.pick,
                  key => this.choose(key, true), key => this.ask(key));
    else drawDifference(this.body, reel, cursor);
  }

  // Until the reader asks: the newest change, since the film began, of a value that is shown.
  newest(scene, event) {
    const began = this.reel.frames[0].event;
    const shown = new Set([...scene.values()].filter(s => s.a).map(s => pairOf(...s.a)));
    const found = this.film.changes.findLast(([id, subject, attribute, , , , , kind]) =>
      began < id && id <= event && !ARROWS.includes(kind) && shown.has(pairOf(subject, attribute)));
    return found?.slice(1, 3);
  }

  drawWhy() {
    const { reel, cursor } = this;
    drawWhy(this.body, this.why, reel.waits[cursor], event => reel.holds(cursor, event),
            event => this.seek(event));
  }

  // The numbers of causes: at rest only, and only for a question that the reader has asked.
  annotate() {
    if (!this.question || this.tab !== "why") return clearNotes(this.theatre);
    drawNotes(this.theatre, this.why.rows);
    this.drawWhy();
  }

  open(tab) {
    this.tab = tab;
    this.panel();
    if (this.resting && !this.playing) this.annotate();
  }

  ask(key) {
    this.select(key);
    this.question = this.reel.scenes[this.cursor].get(key).a;
    this.focusPanel("why");
  }

  // `listed`: in the inspector's list, which is drawn anew: the keyboard goes on from there.
  choose(key, listed = false) {
    const shape = this.reel.scenes[this.cursor].get(key);
    if (!shape) return;
    this.select(key);
    this.pick = shape.i ? key : this.pick;
    this.question = shape.a ?? this.question;
    this.open(shape.i && (this.tab === "inspect" || !shape.a) ? "inspect" : "why");
    if (listed) (this.strip.querySelector("button") ??
      this.body.querySelector("[aria-pressed=true]"))?.focus();
  }

  // -- keyboard and pointer ----------------------------------------------------------------------
  actions() {
    return this.inner ? { Escape: () => this.leave() } : {
      " ": () => this.play(), ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1),
      Home: () => this.go(0), End: () => this.go(this.reel.last),
      PageDown: () => this.go(this.cursor + 10), PageUp: () => this.go(this.cursor - 10),
      "]": () => this.go(this.scrubber.same(this.cursor, 1)),
      "[": () => this.go(this.scrubber.same(this.cursor, -1)),
      ",": () => this.pacing(-1), ".": () => this.pacing(1),
      w: () => this.focusPanel("why"), i: () => this.focusPanel("inspect"),
      l: () => this.log.enter(),
      b: () => this.nextBelief(), s: () => this.saveAs(), "?": () => this.help(),
      f: () => this.fork(),
      Escape: () => !this.forkBox.hidden ? this.fork(false)
        : this.helpBox.hidden ? this.exit?.() : this.help(false),
    };
  }

  focusPanel(tab) {
    if (!this.tabs[tab]) return;
    this.open(tab);
    this.tabs[tab].focus();
  }

  nextBelief() {
    const all = this.film.whose;
    if (all.length > 1) this.believe(all[(all.indexOf(this.whose) + 1) % all.length]);
  }

  saveAs() {
    if (!this.save) return;
    const frame = this.reel.frames[this.cursor];
    this.save({ ...this.card, say: frame.say, event: frame.event,
                picture: this.theatre.stages.map(s => new XMLSerializer().serializeToString(s))
                  .join("") });
  }

  key(e) {
    if (e.ctrlKey || e.altKey || e.metaKey) return;
    e.stopPropagation();                              // Lab must not hear it
    const { tagName } = e.target;
    if (e.key === "Tab" || e.defaultPrevented) return;
    if (tagName === "SELECT" && e.key !== "Escape") return;
    if (tagName === "BUTTON" && [" ", "Enter"].includes(e.key)) return;
    const act = this.actions()[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  }

  listen() {
    this.onKey = e => this.key(e);
    this.root.addEventListener("keydown", this.onKey);
    this.onPicked = e => this.hear(e);
    document.addEventListener(PICKED, this.onPicked);
    this.stages.addEventListener("click", e => {
      const key = e.target.closest?.("[data-key]")?.dataset.key;
      if (key) this.choose(key);
    });
    this.stages.addEventListener("pointermove", e => this.hover(e));
    this.stages.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.resize = new ResizeObserver(() => { this.scrubber.layout(); this.keepCaption(); });
    this.resize.observe(this.left);
  }

  hover(e) {
    const key = e.target.closest?.("[data-key]")?.dataset.key;
    const details = this.film.details[this.reel.scenes[this.cursor].get(key)?.i];
    this.tip.hidden = !details;
    if (!details) return;
    const box = this.root.getBoundingClientRect(), [name, value] = details.fields[0] ?? ["", ""];
    this.tip.replaceChildren(make("b", "", details.title), make("span", "", `${name} ${value}`));
    if (details.say) this.tip.append(make("p", "", details.say));
    this.tip.style.left = `${Math.min(e.clientX - box.left + 14, box.width - 250)}px`;
    this.tip.style.top = `${e.clientY - box.top + 18}px`;
  }

  // Room for the longest caption, so that nothing below it ever moves.
  keepCaption() {
    const texts = this.film.whose.flatMap(whose => this.film.frames[whose].map(f => f.say));
    const longest = [...new Set(texts)].sort((a, b) => b.length - a.length).slice(0, 3);
    const shown = this.caption.textContent, probe = this.caption.cloneNode();
    probe.removeAttribute("aria-live");
    probe.style.cssText = "position:absolute;visibility:hidden;min-height:0";
    probe.style.width = `${this.caption.clientWidth}px`;
    this.caption.after(probe);
    const heights = [...longest, shown].map(text => {
      probe.textContent = plain(text);
      return probe.offsetHeight;
    });
    probe.remove();
    this.caption.style.minHeight = `${Math.max(...heights)}px`;
  }

  destroy() {
    clearTimeout(this.timer);
    this.theatre.stop();
    this.resize.disconnect();
    this.inner?.destroy();
    document.removeEventListener(PICKED, this.onPicked);
    this.root.removeEventListener("keydown", this.onKey);
  }
}
