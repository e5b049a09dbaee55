// "Why?": from a value back along the change that was met last, as far as four links (contract 2).
const LINKS = 4, ARROWS = ["asked", "answer"];          // arrows join, and do not count
const SHORT = { isr: "ISR", maximal_isr: "maximal ISR", elr: "ELR", hw: "HW", leo: "LEO",
  lso: "LSO", contact_ms: "last heartbeat (ms)", epoch: "broker epoch", last_known_elr:
  "last known ELR" };
const LOG = "__cluster_metadata-0", CONTROLLER = "controller-100";
const ENDS = {
  command: "It began with this command.", timer: "It began when a timer ran out.",
  config: "It began with this setting.", "": "The chain ends here: nothing else was read.",
};

// A request goes by its correlation id, as in its pill: "#42 asked: fetch 3".
const REQUEST = /^(?:[AB]: )?request-(.+)\.(\d+)$/;

function attributeWords(attribute) {
  const [field, ...key] = String(attribute).split(".");
  const words = SHORT[field] ?? field.replaceAll("_", " ");
  return key.length ? `${words} of ${key.join(".")}` : words;
}

function subjectWords(subject) {
  const replica = /^(.+)@(\d+)$/.exec(subject), request = REQUEST.exec(subject);
  if (replica) return `${replica[1] === LOG ? "the metadata log" : replica[1]} on ` +
    (replica[2] === "100" ? "the controller" : `broker ${replica[2]}`);
  if (request) return `request ${request[2]} of ${request[1]}`;
  return String(subject).replace(/\bbroker-(\d+)\b/, "broker $1")
    .replace(`@${CONTROLLER}`, " as the controller knows it").replace(CONTROLLER, "the controller");
}

function valueWords(value) {
  if (value == null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map(valueWords).join(", ") : "empty";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

const sentence = text => text && capital(text) + (/[.!?…]$/.test(text) ? "" : ".");
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

function changeWords([, subject, attribute, old, value, , , kind]) {
  if (ARROWS.includes(kind))
    return `${subject.replace(REQUEST, "#$2")} ${kind === "asked" ? "asked" : "answered"}: ` +
      valueWords(value);
  const from = old == null ? "" : `${valueWords(old)} to `;
  return `${capital(attributeWords(attribute))} ${from}${valueWords(value)}`;
}

class Why {
  constructor(film, subject, attribute, event) {
    Object.assign(this, { film, subject, attribute, rows: [], ending: "", from: [] });
    const found = film.lastChange(pairOf(subject, attribute), event);
    if (found === undefined) {
      this.title = `Why is the ${attributeWords(attribute)} as it is?`;
      this.rule = "It has been so since before this film began.";
      return;
    }
    const change = film.changes[found];
    this.title = this.arrow(found) ? `Why was ${changeWords(change)}?`
      : `Why is the ${attributeWords(attribute)} ${valueWords(change[4])}?`;
    this.rule = sentence(change[5]);
    this.from = this.reads(found).map(([i, read]) => ({
      met: i === this.follow(found), text: this.arrow(i) ? changeWords(read)
        : `${attributeWords(read[2])} of ${subjectWords(read[1])}: ${valueWords(read[4])}` }));
    this.walk(found);
  }

  arrow(i) { return ARROWS.includes(this.film.changes[i][7]); }
  reads(i) {
    return this.film.changes[i][6].filter(j => j < i && this.film.changes[j])
      .map(j => [j, this.film.changes[j]]);
  }
  follow(i) { return Math.max(-1, ...this.reads(i).map(([j]) => j)); }

  walk(i) {
    let links = 0;
    for (let at = i; at >= 0; at = this.follow(at)) {
      if (at !== i && !this.arrow(at) && ++links > LINKS) {
        const more = this.rest(at);
        this.ending = `Before that: ${more} more ${more === 1 ? "cause" : "causes"}.`;
        return;
      }
      this.rows.push(this.row(at, at === i));
      if (this.follow(at) < 0) this.ending = ENDS[this.film.changes[at][7]] ?? ENDS[""];
    }
  }

  rest(i) {
    let count = 0;
    for (let at = i; at >= 0; at = this.follow(at)) count += this.arrow(at) ? 0 : 1;
    return count;
  }

  row(i, first) {
    const change = this.film.changes[i], followed = this.follow(i);
    const also = first ? [] : this.reads(i).filter(([j]) => j !== followed)
      .map(([, read]) => `${changeWords(read)} (${subjectWords(read[1])})`);
    return {
      also, event: change[0], arrow: this.arrow(i), pair: pairOf(change[1], change[2]),
      text: changeWords(change),
      where: REQUEST.exec(change[1])?.[1] ?? subjectWords(change[1]),
      at: this.film.event.get(change[0])?.[1],
      kind: this.arrow(i) ? "message" : this.film.kind(change[0]),
    };
  }
}
