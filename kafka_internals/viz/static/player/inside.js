// One thing under many shapes: what was picked keeps its identity from step to step, and from film
// to film; and the pictures inside of it, each in place of this one until somebody goes back.
const PICKED = "kafka-film-picked";                  // on the document: players of one run agree

// A request, or a batch of one ("request-producer-1.3 orders-0"); nothing for what has no identity.
const identityOf = shape => shape?.s ?? (REQUEST.test(shape?.a?.[0]) ? shape.a[0] : "");
const alike = (one, other) => Boolean(one && other) &&
  (one === other || one.startsWith(`${other} `) || other.startsWith(`${one} `));

// What there is to open of an identity at an event: of each kind the newest.
function insideOf(film, same, event) {
  return Object.entries(film.inside ?? {}).filter(([key]) => alike(same, key))
    .flatMap(([key, pictures]) => {
      const there = pictures.filter(([from]) => from <= event).map(([, ...rest]) => rest);
      return [...new Map(there)].map(([label, data]) => ({ key, label, data }));
    });
}

Object.assign(Player.prototype, {
  // -- what was picked ---------------------------------------------------------------------------
  select(key) {
    this.chosen = key;
    this.agree(identityOf(this.reel.scenes[this.cursor].get(key)));
  },

  // A batch has no request until it leaves: then what was chosen gets the request's identity.
  follow(scene) {
    const own = identityOf(scene.get(this.chosen));
    if (own && own !== this.same) this.agree(own);
    this.theatre.mark(this.same, this.chosen);
    this.drawInside();
  },

  agree(same) {
    this.same = same;
    if (this.film.run) document.dispatchEvent(new CustomEvent(PICKED, {
      detail: { same, run: this.film.run, by: this.root } }));
  },

  // Somebody has picked it in another picture of this run.
  hear({ detail: { same, run, by } }) {
    if (run !== this.film.run || by === this.root || same === this.same) return;
    const scene = this.reel.scenes[this.cursor];
    this.chosen = "";
    this.same = same;
    this.pick = [...scene].find(([, s]) => s.i && alike(identityOf(s), same))?.[0] ?? this.pick;
    this.panel();
  },

  // -- what is inside ----------------------------------------------------------------------------
  drawInside() {
    const found = insideOf(this.film, this.same, this.reel.frames[this.cursor].event);
    const told = found.map(({ key, label }) => `${key} ${label}`).join();
    if (told === this.strip.dataset.told) return;        // a button keeps the focus that it has
    this.strip.dataset.told = told;
    this.strip.hidden = !found.length;
    this.strip.replaceChildren(...this.openers(found));
  },

  // Whose they are, and a row of buttons for each batch.
  openers(found, open) {
    const keys = [...new Set(found.map(one => one.key))];
    const rows = keys.map(key => {
      const [request, batch] = key.split(" ");
      const row = make("div", "ki-openers", null, { role: "group",
        "aria-label": `Inside ${subjectWords(request)}, ${batch}` });
      if (keys.length > 1) row.append(make("span", "ki-opener-of", batch));
      for (const one of found.filter(each => each.key === key)) {
        const b = button("ki-open", "", () => this.enter(one.key, one.label), one.label);
        b.dataset.opens = `${key} ${one.label}`;
        if (open) b.setAttribute("aria-pressed", one.label === open.label && key === open.key);
        row.append(b);
      }
      return row;
    });
    const named = keys.length ? keys[0].split(" ")[0].replace(REQUEST, "#$2 of $1") : "";
    return [make("span", "ki-opener-of", named), ...rows];
  },

  enter(key, label) {
    this.play(false);
    this.leave(false);
    const { event } = this.reel.frames[this.cursor], title = this.film.title;
    const found = insideOf(this.film, this.same, event);
    const open = found.find(one => one.key === key && one.label === label);
    const bar = make("nav", "ki-way-back", null,
                     { "aria-label": "Way back, and what else is inside" });
    const back = button("ki-quiet", `Back to ${title} (Escape)`, () => this.leave());
    back.append(icon("back"), make("b", "", "Back"), make("span", "", title));
    bar.append(back, ...this.openers(found, open));
    const root = frameOf({ title: open.data.title });
    this.within = make("div", "ki-within");
    this.within.append(bar, root);
    for (const part of this.root.children) part.hidden = true;
    this.root.append(this.within);
    this.inner = new Player(root, new Film(open.data), { card: {}, leave: () => this.leave() });
    this.opened = `${key} ${label}`;
    root.focus({ preventScroll: true });
    bar.scrollIntoView({ block: "nearest" });
  },

  leave(focus = true) {
    if (!this.inner) return;
    this.inner.destroy();
    this.within.remove();
    this.inner = this.within = null;
    const [head, body] = this.root.children;
    head.hidden = body.hidden = false;
    if (!focus) return;
    const from = [...this.strip.querySelectorAll("button")]
      .find(b => b.dataset.opens === this.opened);
    (from ?? this.root).focus();
  },
});
