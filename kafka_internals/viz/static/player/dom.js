// Small hands: elements, glyphs, times, and text that cannot pretend to be anything else.
// TOKENS (icons, event marks), SHAPES and PAGE stand before this text: player.py writes them there.
const SVG = "http://www.w3.org/2000/svg";
const UNSAFE = new RegExp(SHAPES.unsafe, "g");
const LOOK = new RegExp(SHAPES.look), PATH = new RegExp(SHAPES.path);

// Control and bidi characters become visible escapes: a record value can neither hide nor reorder.
const plain = value => String(value ?? "").replace(UNSAFE,
  c => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

function make(tag, look = "", text = null, attributes = {}) {
  const element = document.createElement(tag);
  if (look) element.className = look;
  if (text != null) element.textContent = plain(text);
  for (const name in attributes) element.setAttribute(name, plain(attributes[name]));
  return element;
}

// Everything that takes the focus carries the attribute: or Lab takes "d d" for itself.
function button(look, label, act, text = null) {
  const element = make("button", look, text,
                       { type: "button", "data-lm-suppress-shortcuts": true });
  if (label) element.setAttribute("aria-label", element.title = plain(label));
  element.addEventListener("click", act);
  return element;
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  return element;
}

function glyph(d, box, look = "") {
  const picture = svg("svg", { viewBox: box, class: look, "aria-hidden": true });
  picture.append(svg("path", { d, "fill-rule": "evenodd" }));
  return picture;
}

const icon = name => glyph(TOKENS.icons[name], "0 0 24 24", "ki-icon");
const markKind = kind => Object.hasOwn(TOKENS.event_marks, kind) ? kind : "message";
const mark = kind => glyph(TOKENS.event_marks[markKind(kind)], "-7 -7 14 14",
  `ki-mark ki-mark-${markKind(kind)}`);
const classes = look => LOOK.test(look) ? look.replace(/(^| )/g, "$1ki-") : "";

function chip(look) {
  const picture = svg("svg", { viewBox: "0 0 22 14", class: "ki-draw ki-sample",
                               "aria-hidden": true });
  const shape = SHAPES.chips[look] ? svg("path", { d: SHAPES.chips[look] })
    : svg("rect", { x: 1, y: 1, width: 20, height: 12, rx: 3 });
  shape.setAttribute("class", classes(look));
  picture.append(shape);
  return picture;
}

function clock(us) {
  if (us < 0) return "before 0";        // the scene of a run is set before its story begins
  const ms = us / 1000;
  if (ms >= 1000) return `${Math.round(ms) / 1000} s`;
  return `${Math.round(ms * 10) / 10} ms`;
}

function span(us) {
  const s = us / 1e6, ms = us / 1000;
  if (s >= 1) return s >= 90 ? `${Math.round(s / 60)} min` : `${Math.round(s)} s`;
  return `${ms >= 10 ? Math.round(ms) : Math.round(ms * 10) / 10} ms`;
}
