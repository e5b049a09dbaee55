// The panels beside the stage: why, inspect, difference, and the event log.
function heading(text, small) {
  const head = make("div", "ki-panel-title", text, { role: "heading", "aria-level": 3 });
  if (small) head.append(make("small", "", small));
  return head;
}
const hint = text => make("p", "ki-hint", text);
const next = (strong, text) => {
  const box = make("p", "ki-next");
  if (strong) box.append(make("b", "", strong));
  box.append(document.createTextNode(plain(text)));
  return box;
};

// -- why -----------------------------------------------------------------------------------------
function drawWhy(at, why, waits, here, go) {
  if (!why) return at.replaceChildren(hint("Click a value in the picture: here stands the chain " +
    "of events that made it."));
  const rule = make("p", "ki-rule", why.rule);
  why.from.forEach((read, i) => rule.append(document.createTextNode(i ? "; " : " From: "),
    make("span", read.met ? "ki-met" : "", read.text)));
  const list = make("ol", "ki-chain");
  for (const row of why.rows) list.append(causeRow(row, here(row.event), go));
  at.replaceChildren(heading(why.title, subjectWords(why.subject)), rule, list);
  if (why.ending) at.append(make("p", "ki-ending", why.ending));
  const waiting = waits.get(pairOf(why.subject, why.attribute));
  if (waiting) at.append(next("Waiting for ", waiting));
}

function causeRow(row, here, go) {
  const li = make("li", `${row.arrow ? "ki-link" : ""}${here ? " ki-here" : ""}`.trim());
  const b = button("ki-cause", "", () => go(row.event)), said = make("span", "ki-said");
  if (row.number) said.append(make("i", "ki-number", row.number));
  said.append(make("span", "ki-cause-text", row.text));
  if (row.where) said.append(make("small", "", row.where));
  for (const also of row.also) said.append(make("small", "ki-also", `also read: ${also}`));
  b.append(mark(row.kind), said, make("time", "", row.at == null ? "" : clock(row.at)));
  li.append(b);
  return li;
}

// -- inspect -------------------------------------------------------------------------------------
function drawInspect(at, details, scene, pick, onPick, onAsk) {
  at.replaceChildren();
  if (details) {
    at.append(heading(details.title, details.where));
    const fields = make("dl", "ki-fields");
    for (const [name, value, flag] of details.fields) {
      const row = make("div", ["mono", "bad", "lit"].includes(flag) ? `ki-${flag}` : "");
      row.append(make("dt", "", name), make("dd", "", value));
      fields.append(row);
    }
    at.append(fields);
    if (details.hex) at.append(make("pre", "ki-hex", details.hex));
    if (details.say) at.append(next("", details.say));
  } else at.append(hint("Click a shape in the picture, or choose one here."));
  const things = [...scene].filter(([, shape]) => shape.i && shape.n);
  at.append(choices(things, shape => shape.i, shape => shape.n, onPick, pick));
  const values = [...scene].filter(([, shape]) => shape.a);
  at.append(choices(values, shape => pairOf(...shape.a), ({ a }) =>
    `Why: ${attributeWords(a[1])} of ${subjectWords(a[0])}`, onAsk));
}

// What can be clicked in the picture, as rows that a keyboard reaches; each thing once.
function choices(entries, same, words, act, pick) {
  const list = make("ul", "ki-things"), seen = new Set();
  for (const [key, shape] of entries) {
    if (seen.has(same(shape))) continue;
    seen.add(same(shape));
    const li = make("li"), b = button("", "", () => act(key), words(shape));
    if (pick !== undefined) b.setAttribute("aria-pressed", key === pick);
    li.append(b);
    list.append(li);
  }
  list.hidden = !seen.size;
  return list;
}

// -- difference of two futures -------------------------------------------------------------------
function drawDifference(at, reel, i) {
  const found = reel.frames.findLastIndex((frame, n) => n <= i && frame.differs);
  if (found < 0) return at.replaceChildren(heading("No difference yet"),
    hint("Both futures have done exactly the same so far."));
  const { differs, say_difference: say, t_us } = reel.frames[found];
  const first = reel.frames.findIndex(frame => frame.differs) === found;
  if (differs.every(([, a, b]) => a === b)) return at.replaceChildren(heading("No difference yet",
    clock(t_us)), hint("What is compared here is the same in both futures so far."));
  const table = make("table", "ki-diff"), head = make("tr");
  for (const name of ["", "A", "B"]) head.append(make("th", "", name, { scope: "col" }));
  table.append(head);
  for (const [what, a, b] of differs) {
    const row = make("tr", a === b ? "" : "ki-differ");
    row.append(make("th", "", what, { scope: "row" }), make("td", "", a), make("td", "", b));
    table.append(row);
  }
  at.replaceChildren(heading(first ? "First difference" : "What differs now", clock(t_us)), table);
  if (say) at.append(next("", say));
}

// -- events --------------------------------------------------------------------------------------
class EventLog {
  constructor(film, go) {
    this.el = make("ol", "ki-log", null, { "data-lm-suppress-shortcuts": true });
    this.rows = film.events.map(([id, us, , , kind, text, lane]) => {
      const li = make("li"), b = button("", "", () => go(id));
      b.tabIndex = -1;
      b.append(make("time", "", clock(us)), mark(kind));
      if (film.fork) b.append(make("span", `ki-branch ki-future-${lane?.toLowerCase() ?? "none"}`,
                                   lane ?? ""));
      b.append(make("span", "", text));
      li.append(b);
      this.el.append(li);
      return { id, li, b, look: "" };
    });
    this.el.addEventListener("keydown", e => this.walk(e));
  }

  // One tab stop for the whole list; up and down walk it.
  walk(e) {
    const way = { ArrowDown: "nextSibling", ArrowUp: "previousSibling" }[e.key];
    const to = way && e.target.closest("li")?.[way]?.firstChild;
    if (!to) return;
    e.preventDefault();
    to.focus();
  }

  // The picture is painted first: a long list of events costs as much again.
  follow(reel, i) {
    const waits = Boolean(this.next);
    this.next = [reel, i];
    if (!waits) requestAnimationFrame(() => setTimeout(() => this.show()));
  }

  // Who comes by the keyboard finds the list as it is now.
  enter() {
    this.show();
    this.stop?.focus();
  }

  show() {
    if (!this.next) return;
    const [reel, i] = this.next, { event } = reel.frames[i];
    this.next = null;
    let current = null;
    for (const row of this.rows) {
      const look = reel.holds(i, row.id) ? "ki-here" : row.id > event ? "ki-future" : "";
      if (row.look !== look) row.li.className = row.look = look;
      if (row.id <= event) current = row;
    }
    if (this.stop) this.stop.tabIndex = -1;
    this.stop = (current ?? this.rows[0])?.b;
    if (this.stop) this.stop.tabIndex = 0;
    if (!current) return void (this.el.scrollTop = 0);
    const { offsetTop, offsetHeight } = current.li;           // in view, and no row cut at the top
    const least = offsetTop + 2 * offsetHeight - this.el.clientHeight;
    this.el.scrollTop = this.rows.find(({ li }) => li.offsetTop >= least)?.li.offsetTop ?? 0;
  }
}
