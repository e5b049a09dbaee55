// The numbers of causes on the stage: a ring beside each shape that a row of the why-panel names.
const RING = 10;

function drawNotes(theatre, rows) {
  clearNotes(theatre);
  const taken = theatre.stages.map(stage => [...stage.querySelectorAll("text")]
    .map(text => spot(stage, text)));
  const boxes = theatre.boxes(new Set(rows.map(row => row.pair)));
  const seen = new Set();
  for (const row of rows) {
    row.number = null;
    const found = boxes.find(box => box.pair === row.pair && !seen.has(box.key));
    if (!found || seen.has(row.pair)) continue;
    seen.add(row.pair);
    row.number = [...seen].length;
    const [x, y] = place(found.box, taken[found.stage], theatre.stages[found.stage]);
    taken[found.stage].push([x - RING, y - RING, x + RING, y + RING]);
    theatre.layer(found.stage, 9).append(ring(x, y, row.number));
  }
}

function clearNotes(theatre) {
  for (const stage of theatre.stages)
    for (const e of stage.querySelectorAll(".ki-ring")) e.remove();
}

function ring(x, y, number) {
  const g = svg("g", { class: "ki-ring", transform: `translate(${x} ${y})` });
  const text = svg("text", { y: 4.2, class: "ki-s12 ki-w7 ki-mid" });
  text.textContent = number;
  g.append(svg("circle", { r: 9, class: "ki-note" }), text);
  return g;
}

// A text's box in stage units.
function spot(stage, text) {
  const own = stage.getScreenCTM(), box = text.getBoundingClientRect();
  return [(box.left - own.e) / own.a, (box.top - own.f) / own.d,
          (box.right - own.e) / own.a, (box.bottom - own.f) / own.d];
}

// The place round a box that covers least of what must be read.
function place([x, y, x2, y2], taken, stage) {
  const { width, height } = stage.viewBox.baseVal, my = (y + y2) / 2, mx = (x + x2) / 2;
  const tries = [[x2 + 13, y - 3], [x - 3, y - 3], [x2 + 13, my], [x - 13, my], [x2 + 3, y2 + 3],
                 [x - 3, y2 + 3], [mx, y - 13], [mx, y2 + 13], [x2 + 30, my], [x - 30, my]];
  const cost = ([cx, cy]) => {
    const out = cx < RING || cy < RING || cx > width - RING || cy > height - RING;
    const over = taken.filter(([a, b, c, d]) =>
      a < cx + RING && cx - RING < c && b < cy + RING && cy - RING < d).length;
    return over + (out ? 100 : 0);
  };
  return tries.reduce((best, one) => cost(one) < cost(best) ? one : best);
}
