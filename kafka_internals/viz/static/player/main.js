// Mounting: the same code in a notebook (anywidget's render) and in a plain page.
function frameOf(card) {
  const root = make("section", "ki-player ki-theme", null, {
    tabindex: 0, role: "group", "aria-label": card.title, "data-lm-suppress-shortcuts": true });
  const head = make("header", "ki-head");
  head.append(make("div", "ki-title", card.title));
  root.append(head);
  return root;
}

function stateOf(look, strong, text, code) {
  const box = make("div", `ki-state ${look}`), say = make("p", "", text);
  if (code) say.append(make("code", "", code), document.createTextNode(" and film again."));
  box.append(make("b", "", strong), say);
  return box;
}

// While unpacking: title, caption, and the room that the stage will take.
function loading(root, card) {
  const steps = card.steps === 1 ? "One step" : `${card.steps} steps`;
  const box = stateOf("ki-loading", steps, card.say);
  const bar = make("span", "ki-bar");
  bar.append(make("i"));
  box.append(bar);
  box.style.aspectRatio = `${card.size[0] * (card.size[2] ?? 1)} / ${card.size[1]}`;
  root.append(box);
  return box;
}

function failed(el, root, box, error, picture) {
  const text = error instanceof FilmError ? error.message
    : "Its bytes could not be read. The picture stays; run the cell again.";
  const state = stateOf("ki-bad", "This film cannot be shown", text);
  box.replaceWith(state);
  const src = `data:image/svg+xml,${encodeURIComponent(picture ?? "")}`;
  const stands = el.contains(root) ? null : el.querySelector(".ki-stages");
  if (stands) state.after(stands);                    // a plain page has its picture already
  else if (picture) state.after(make("img", "ki-fallback", null, { src, alt: root.ariaLabel }));
}

async function mount(el, { bytes, card, picture, css, module, event, taken, kernel,
                           saves = true }) {
  const root = frameOf(card);
  const box = loading(root, card);
  if (!taken) el.replaceChildren(root);
  try {
    const film = await unpack(bytes);
    if (film.frames.truth.length) {
      const save = saves && (card => saveFile({ ...card, bytes, css, module }));
      if (taken) el.replaceChildren(root);
      return new Player(root, film, { card, save, event, kernel });
    }
    box.replaceWith(stateOf("", "Nothing has happened yet", "Run ", "cluster.run(ms=100)"));
  } catch (error) {
    failed(el, root, box, error, picture);
    if (!(error instanceof FilmError)) console.warn(error);
  }
  el.replaceChildren(root);
  return null;
}

// anywidget: bytes arrive as a DataView; the new film of a re-run cell replaces the old one.
function render({ model, el }) {
  let player = null, serial = 0;
  const draw = async () => {
    const mine = ++serial, view = model.get("film"), had = el.contains(document.activeElement);
    const kernel = { forks: model.get("forks") ?? {}, send: content => model.send(content) };
    const made = await mount(el, {
      bytes: new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
      card: model.get("card"), picture: model.get("picture"), css: model.get("_css"),
      module: model.get("_esm"), event: model.get("card").event, kernel });
    if (mine !== serial) return made?.destroy();
    player?.destroy();
    player = made;
    if (had) player?.root.focus({ preventScroll: true });      // who forked goes on from here
  };
  const told = ({ failed }) => failed && player?.refused(failed);
  const gone = () => el.classList.add("ki-kernel-gone");       // told when its kernel restarts
  model.on("change:film", draw);
  model.on("comm_live_update", gone);
  model.on("msg:custom", told);
  draw();
  return () => {
    serial += 1;
    model.off("change:film", draw);
    model.off("comm_live_update", gone);
    model.off("msg:custom", told);
    player?.destroy();
  };
}

// A plain page: each film stands behind its static picture, which is taken over. A film in a closed
// fold waits until somebody opens it.
async function filmOf(source) {
  const el = source.previousElementSibling, fold = el.closest("details:not([open])");
  if (fold) await new Promise(done => fold.addEventListener("toggle", done, { once: true }));
  await mount(el, {
    card: JSON.parse(source.dataset.card), bytes: fromBase64(source.textContent), taken: true,
    event: Number(source.dataset.event), css: document.querySelector("style").textContent,
    module: document.querySelector("script[type=module]").textContent,
    saves: location.href !== "about:srcdoc" });
}

function page(films) {
  films.forEach(filmOf);
  const tell = () => parent.postMessage({ kafkaFilmHeight: document.body.scrollHeight }, "*");
  if (parent !== window) new ResizeObserver(tell).observe(document.body);
}

const FILM = "script[type='application/x-kafka-film']";
const films = globalThis.document?.querySelectorAll(FILM) ?? [];
if (films.length) page([...films]);

export default { render };
