// Film v1 (contract 3): unpacked, checked, and every frame's scene with structural sharing.
const VERSION = 1;

class FilmError extends Error {}

async function unpack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  if (data.v !== VERSION)
    throw new FilmError(`It is of format ${data.v}, this player reads ${VERSION}. The picture ` +
      "stays; update the package and run the cell again.");
  return new Film(data);
}

const pairOf = (subject, attribute) => `${subject} ${attribute}`;

// What one observer knew: "truth", or a node's own belief.
class Reel {
  constructor(frames) {
    this.frames = frames;
    this.scenes = [];
    this.waits = [];
    for (const frame of frames) this.extend(frame);
  }

  extend(frame) {
    const scene = new Map(this.scenes.at(-1)), waits = new Map(this.waits.at(-1));
    for (const key of frame.gone) scene.delete(key);
    for (const key in frame.set) {
      const shape = { ...scene.get(key), ...frame.set[key] };
      for (const name in shape) if (shape[name] === null) delete shape[name];
      if (Object.hasOwn(SHAPES.kinds, shape.k)) scene.set(key, shape);
    }
    for (const pair in frame.waits)
      frame.waits[pair] === null ? waits.delete(pair) : waits.set(pair, frame.waits[pair]);
    this.scenes.push(scene);
    this.waits.push(waits);
  }

  get last() { return this.frames.length - 1; }

  // The greatest frame that stands at or before an event.
  at(event) {
    return Math.max(0, this.frames.findLastIndex(frame => frame.event <= event));
  }

  since(us) {
    const found = this.frames.findIndex(frame => frame.t_us >= us);
    return found < 0 ? this.last : found;
  }

  // The events that belong to frame i: after the frame before it, up to its own.
  holds(i, event) {
    const frame = this.frames[i];
    if (!frame || event > frame.event) return false;
    return i > 0 ? event > this.frames[i - 1].event : event === frame.event;
  }
}

class Film {
  constructor(data) {
    Object.assign(this, data);
    this.reels = new Map();
    this.event = new Map(data.events.map(row => [row[0], row]));
    this.history = new Map();
    data.changes.forEach(([, subject, attribute], i) => {
      const pair = pairOf(subject, attribute);
      this.history.get(pair)?.push(i) ?? this.history.set(pair, [i]);
    });
  }

  // Stills outside of any run: no time passes between them.
  get timeless() { return !this.changes.length && this.events.every(row => !row[1]); }

  get whose() { return Object.keys(this.frames); }

  reel(whose) {
    if (!this.reels.has(whose)) this.reels.set(whose, new Reel(this.frames[whose]));
    return this.reels.get(whose);
  }

  kind(event) { return markKind(this.event.get(event)?.[4]); }

  // The pairs that changed within frame i: what the highlighter marks.
  changed(reel, i) {
    const pairs = new Set();
    for (const [event, subject, attribute] of this.changes)
      if (reel.holds(i, event)) pairs.add(pairOf(subject, attribute));
    return pairs;
  }

  lastChange(pair, event) {
    return (this.history.get(pair) ?? []).findLast(i => this.changes[i][0] <= event);
  }
}
