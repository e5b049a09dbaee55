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


def check(view, page: Path, whose: str = "truth") -> list[str]:
    """Every frame of a saved page at 1200, 900 and 600 px: what is wrong, in words."""
    player, wrong = view.open_file(page), []
    if whose != "truth":
        view.page.select_option(".ki-whose", whose)
    last = int(view.page.get_attribute(".ki-scrub input", "max"))
    for width in WIDTHS:
        heights = set()
        view.page.set_viewport_size({"width": width + 40, "height": 900})
        player.focus()
        view.page.keyboard.press("Home")
        for step in range(last + 1):
            view.at(step)
            view.page.wait_for_function("() => !document.querySelector('.ki-live')")
            wrong += [f"{width} px, step {step}: {what}"
                      for what in view.page.evaluate(FIND, SLACK)]
            heights.add(player.bounding_box()["height"])
            view.page.keyboard.press("ArrowRight")
        if len(heights) > 1:
            wrong.append(f"{width} px: the player's height jumps: {sorted(heights)}")
        sideways = "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"
        if view.page.evaluate(sideways):
            wrong.append(f"{width} px: the page scrolls sideways")
    return wrong
