"""No two texts of a picture overlap, none leaves its stage, and nothing jumps, at any width.

`check(view, page)` is for every view's film: save it with `Player(film).save(path)`, then
`assert check(view(reduced_motion="reduce"), path) == []`.
"""

from pathlib import Path

WIDTHS = (1200, 900, 600)
SLACK = 1                                   # px: neighbours may touch

FIND = """slack => {
  const found = [];
  for (const stage of document.querySelectorAll('.ki-stage')) {
    const own = stage.getBoundingClientRect();
    const texts = [...stage.querySelectorAll('text')].filter(t => t.textContent.trim())
      .map(t => ({ words: t.textContent, box: t.getBoundingClientRect() }));
    for (const { words, box } of texts)
      if (box.left < own.left - slack || box.right > own.right + slack ||
          box.top < own.top - slack || box.bottom > own.bottom + slack)
        found.push(`"${words}" leaves its stage`);
    texts.forEach((a, i) => texts.slice(i + 1).forEach(b => {
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) - 3;
      if (across > slack && down > slack) found.push(`"${a.words}" lies on "${b.words}"`);
    }));
  }
  return found;
}"""
# The step that a player stands at after each of these keys.
PRESS = """(player, keys) => keys.map(key => {
  player.dispatchEvent(new KeyboardEvent('keydown', { key }));
  return player.dataset.step;
})"""
# In the page, since a question from outside costs more than a frame. Without motion a step is drawn
# at once, and what a new width moves within two frames.
WALK = """async slack => {
  const player = document.querySelector('.ki-player'), wrong = [], heights = new Set();
  const press = key => player.dispatchEvent(new KeyboardEvent('keydown', { key }));
  const frame = () => new Promise(requestAnimationFrame);
  const last = Number(document.querySelector('.ki-scrub input').max);
  press('Home');
  await frame();
  await frame();
  for (let step = 0; step <= last; step++) {
    if (player.dataset.step !== `${step}` || document.querySelector('.ki-live'))
      return [...wrong, `step ${step} is not shown at once`];
    wrong.push(...(FIND)(slack).map(what => `step ${step}: ${what}`));
    heights.add(player.getBoundingClientRect().height);
    press('ArrowRight');
  }
  if (heights.size > 1) wrong.push(`the player's height jumps: ${[...heights].sort()}`);
  const page = document.scrollingElement;
  if (page.scrollWidth > page.clientWidth) wrong.push('the page scrolls sideways');
  return wrong;
}""".replace("FIND", FIND)


def check(view, page: Path, whose: str = "truth") -> list[str]:
    """Every frame of a saved page at 1200, 900 and 600 px: what is wrong, in words."""
    view.open_file(page)
    if whose != "truth":
        view.page.select_option(".ki-whose", whose)
    wrong = []
    for width in WIDTHS:
        view.page.set_viewport_size({"width": width + 40, "height": 900})
        wrong += [f"{width} px: {what}" for what in view.page.evaluate(WALK, SLACK)]
    return wrong
