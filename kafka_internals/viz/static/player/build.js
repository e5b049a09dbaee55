// The player's page: header, stages, caption, transport, rail (VISUAL 6). Only elements, no state.
Object.assign(Player.prototype, {
  build() {
    const { film } = this;
    this.left = make("div", "ki-left");
    this.stages = make("div", "ki-stages", null, { "data-count": film.fork ? 2 : 1 });
    const [width, height] = film.size, count = film.fork ? 2 : 1;
    const stages = Array.from({ length: count }, (_, i) => this.buildStage(i, width, height));
    this.theatre = new Theatre(stages);
    this.caption = make("p", "ki-caption", "", { "aria-live": "polite" });
    this.left.append(this.stages, this.caption, this.buildTransport());
    this.tip = make("div", "ki-tip", null, { "aria-hidden": true });
    this.tip.hidden = true;
    const body = make("div", "ki-body");
    body.append(this.left, this.buildRail());
    this.root.replaceChildren(this.buildHeader(), body, this.tip, this.buildHelp(),
                              this.buildFork());
  },

  buildHeader() {
    const { film } = this, head = make("header", "ki-head");
    const legend = make("div", "ki-legend");
    if (film.question) legend.append(make("span", "ki-question", `Colour: ${film.question}`));
    for (const [look, word] of film.legend) {
      const entry = make("span", "ki-chip");
      entry.append(chip(look), make("span", "", word));
      legend.append(entry);
    }
    head.append(make("div", "ki-title", film.title, { role: "heading", "aria-level": 2 }), legend);
    if (film.whose.length > 1) head.append(this.buildWhose());
    return head;
  },

  buildWhose() {
    const words = whose => whose === "truth" ? "Truth"
      : `As ${subjectWords(whose)} believes`;
    this.whoseBox = this.choice("Whose knowledge", this.film.whose.map(w => [w, words(w)]),
                                value => this.believe(value));
    this.whoseBox.classList.add("ki-whose");
    return this.whoseBox;
  },

  choice(label, options, act) {
    const box = make("select", "", null, { "aria-label": label, title: label,
                                           "data-lm-suppress-shortcuts": true });
    for (const [value, text] of options) box.append(make("option", "", text, { value }));
    box.addEventListener("change", () => act(box.value));
    return box;
  },

  buildStage(i, width, height) {
    const figure = make("figure", "ki-figure"), { fork } = this.film;
    if (fork) {
      const letter = "AB"[i], words = make("figcaption");
      words.append(make("span", `ki-branch ki-future-${letter.toLowerCase()}`, letter),
                   make("span", "", fork.titles[i]));
      figure.append(words);
    }
    const stage = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "ki-draw ki-stage",
                               role: "img" });
    stage.style.setProperty("--w", width);
    figure.append(stage);
    this.stages.append(figure);
    return stage;
  },

  buildTransport() {
    const bar = make("div", "ki-transport"), buttons = make("div", "ki-buttons");
    const add = (name, label, act, look = "") => {
      const b = button(`ki-button ${look}`.trim(), label, act);
      b.append(icon(name));
      buttons.append(b);
      return b;
    };
    add("first", "First step (Home)", () => this.go(0), "ki-edge");
    add("back", "Step back (left arrow)", () => this.step(-1));
    this.playButton = add("play", "Play (Space)", () => this.play(), "ki-play");
    add("forward", "Step forward (right arrow)", () => this.step(1));
    add("last", "Last step (End)", () => this.go(this.reel.last), "ki-edge");
    if (this.canFork()) add("fork", "Fork here: two futures (f)", () => this.fork(true), "ki-edge");
    if (this.isForked()) add("fork", "Back to the one run (f)", () => this.fork(), "ki-back-one");
    this.scrubber = new Scrubber(this.film, i => this.go(i, 0));
    this.time = make("output", "ki-clock", null, { "aria-live": "off" });
    const names = { 0.25: "¼×", 0.5: "½×" };
    this.speedBox = this.choice("Speed", SPEEDS.map(s => [s, names[s] ?? `${s}×`]),
                                value => { this.speed = Number(value); });
    this.speedBox.classList.add("ki-speed");
    this.speedBox.value = 1;
    bar.append(buttons, this.scrubber.el, this.time, this.speedBox);
    return bar;
  },

  buildRail() {
    const rail = make("aside", "ki-rail", null, { "aria-label": "About this step" });
    const panel = make("section", "ki-panel ki-panel-why"), tabs = make("div", "ki-tabs");
    const names = { ...(this.film.fork ? { difference: "Difference" } : {}),
                    ...(this.film.timeless ? {} : { why: "Why?" }), inspect: "Inspect" };
    this.tabs = {};
    for (const name in names) {
      this.tabs[name] = button("ki-tab", "", () => this.open(name), names[name]);
      tabs.append(this.tabs[name]);
    }
    this.root.classList.toggle("ki-timeless", this.film.timeless);
    this.root.classList.toggle("ki-one", this.film.timeless && !this.reel.last);
    const asked = this.film.fork || this.film.changes.length;      // else there is no "why?"
    this.tab = asked ? Object.keys(names)[0] : "inspect";
    this.body = make("div", "ki-panel-body", null, { "data-lm-suppress-shortcuts": true });
    this.strip = make("div", "ki-inside");
    this.strip.hidden = true;
    panel.append(tabs, this.strip, this.body);
    this.log = new EventLog(this.film, event => this.seek(event));
    const events = make("section", "ki-panel ki-panel-log");
    events.append(heading("Events", `${this.film.events.length} in this film`), this.log.el);
    rail.append(panel, events, this.buildFoot());
    return rail;
  },

  buildFoot() {
    const foot = make("footer", "ki-foot");
    if (this.film.cost) foot.append(make("p", "ki-cost", this.film.cost));
    foot.append(make("p", "ki-no-kernel", "Its kernel is gone: play, step and why go on working."));
    const row = make("div", "ki-foot-row");
    for (const [name, text, act] of [["keys", "Keys", () => this.help()],
                                     ["save", "Save as a file", () => this.saveAs()]]) {
      if (name === "save" && !this.save) continue;
      const b = button("ki-quiet", "", act);
      b.append(icon(name), make("span", "", text));
      row.append(b);
    }
    foot.append(row);
    return foot;
  },

  buildHelp() {
    this.helpBox = make("div", "ki-help", null, { role: "dialog", "aria-label": "Keys" });
    this.helpBox.hidden = true;
    const list = make("dl");
    const idle = { s: !this.save, b: this.film.whose.length < 2, w: this.film.timeless,
                   f: !this.canFork() && !this.isForked(),
                   Esc: !this.exit && !this.film.inside };
    for (const [key, means] of KEYS.filter(([name]) => !idle[name]))
      list.append(make("dt", "", key), make("dd", "", means));
    this.helpBox.append(heading("Keys"), list,
                        button("ki-quiet", "", () => this.help(false), "Close"));
    return this.helpBox;
  },

  help(on = this.helpBox.hidden) {
    if (on === !this.helpBox.hidden) return;
    this.helpBox.hidden = !on;
    on ? this.helpBox.querySelector("button").focus() : this.root.focus();
  },
});
