"""The player's figures, in one JupyterLab session in Chromium, beside two ways without it.

All times are taken inside the page, on its own clock. A changed frame counts as shown in the task
after the animation frame that follows the change, which is when the browser has painted it.
"""

import statistics
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kafka_internals.tools.bench_figure import Figure, Missing
from kafka_internals.tools.browser import (
    ABSENT,
    ARGS,
    CHROMIUM,
    FAILED,
    RAN,
    READY,
    RUN,
    Server,
    write_notebook,
)

SECONDS, PICTURES = 8, 7
ROUNDS, KEYS = 4, 5                         # so many times, so many keys in a row
CELLS = ("%matplotlib inline\nfrom kafka_internals import Player, replica_view\n"
         "from kafka_internals.tools import bench_films\n"
         "film, run = bench_films.busy(), bench_films.orders(120)",
         "Player(film)", "bench_films.from_kernel(film)", "bench_films.with_matplotlib(film)",
         "run.film(replica_view, 'orders-0')")
PICTURE_CELL = len(CELLS) - 1
WAYS = {                                    # way: (where the key goes, what changes)
    "player": (".ki-player", ".ki-stages"),
    "html": (".bench-html .noUi-handle", ".bench-html .bench-shown"),
    "matplotlib": (".bench-matplotlib .noUi-handle", ".bench-matplotlib .bench-shown")}
SETTLED_MS = 1_200                          # a step's way is over, so is whatever the kernel does

PAINTED = """() => new Promise(done => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now());
  channel.port2.postMessage(0); }))"""
WATCH_KEY = """([selector, painted]) => {
  const shown = document.querySelector(selector), picture = () => shown.querySelector('img');
  const before = picture()?.src;
  window.__took = null;
  document.addEventListener('keydown', key => {
    new MutationObserver(async (_, watch) => {
      if (before && (!picture() || picture().src === before)) return;
      watch.disconnect();
      const changed = performance.now() - key.timeStamp;
      await picture()?.decode();
      window.__took = [changed, await eval(painted)() - key.timeStamp];
    }).observe(shown, { subtree: true, childList: true, attributes: true, characterData: true });
  }, { capture: true, once: true }) }"""
RUN_FOR_PICTURE = """([at, painted]) => {
  const fresh = '.ki-player[data-step]:not([data-old]) svg rect';
  for (const old of document.querySelectorAll('.ki-player')) old.dataset.old = 1;
  jupyterapp.shell.currentWidget.content.activeCellIndex = at;
  window.__took = null;
  const began = performance.now();
  new MutationObserver(async (_, watch) => {
    if (!document.querySelector(fresh)) return;
    watch.disconnect();
    window.__took = await eval(painted)() - began;
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
  jupyterapp.commands.execute('notebook:run-cell') }"""
TOOK = "() => window.__took !== null"
GAPS = """([seconds, way]) => new Promise(done => {
  const range = document.querySelector('.ki-player .ki-scrub input'), gaps = [];
  let last = null, at = 0, seed = 1;
  const began = performance.now();
  requestAnimationFrame(function tick(now) {
    if (last !== null) gaps.push(now - last);
    last = now;
    if (way) {
      seed = seed * 48271 % 2147483647;
      at = (way === 'drag' ? at + 4 : seed) % (2 * range.max);
      range.value = at < range.max ? at : 2 * range.max - at;
      range.dispatchEvent(new Event('input', { bubbles: true }));
    }
    if (now - began < seconds * 1000) requestAnimationFrame(tick); else done(gaps);
  }) })"""


def figures() -> Iterator[Figure]:
    """Frame gaps, the first changed frame after a key, and the first picture of a cell."""
    import jupyterlab  # noqa: F401
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        raise Missing(ABSENT)
    with TemporaryDirectory() as work, sync_playwright() as playwright:
        server = Server("jupyterlab", Path(work) / "lab")
        write_notebook(server.root / "bench.ipynb", *CELLS)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            _open(page, server.wait().url)
            yield from _gaps(page, chromium.version)
            yield from _keys(page)
            yield _first_picture(page)
        finally:
            chromium.close()
            server.stop()


def _open(page: Any, url: str) -> None:
    page.goto(f"{url}/lab/tree/bench.ipynb?reset")
    page.wait_for_function(READY, timeout=60_000)
    page.evaluate(RUN, ["notebook:run-all-cells", {}])
    page.wait_for_function(RAN, timeout=120_000)
    if page.locator(FAILED).count():
        raise RuntimeError(page.locator(FAILED).first.inner_text())
    for target, shown in WAYS.values():
        page.wait_for_selector(target)
        page.wait_for_selector(f"{shown} :is(svg, img)")


def _gaps(page: Any, chromium: str) -> Iterator[Figure]:
    def p95(gaps: list[float]) -> float:
        return statistics.quantiles(gaps, n=20)[-1]

    page.focus(".ki-player")
    for key in ("Home", ".", ".", " "):                   # four times the speed: never at rest long
        page.keyboard.press(key)
    playing = page.evaluate(GAPS, [SECONDS, ""])
    page.keyboard.press(" ")
    for doing, gaps, most in (
            ("playing", playing, 17),
            ("scrubbing, 4 frames a time", page.evaluate(GAPS, [SECONDS, "drag"]), 34),
            ("scrubbing to any frame", page.evaluate(GAPS, [SECONDS, "jump"]), None)):
        yield Figure(f"player {doing}, p95 gap", p95(gaps), "ms", most=most,
                     note=f"median {statistics.median(gaps):.1f} of {len(gaps)} gaps; "
                          f"Chromium {chromium}")


def _stepped(page: Any, way: str) -> list[list[float]]:
    """Some keys in a row; the first, before which the focus has just moved, is left out."""
    page.focus(WAYS[way][0])
    return [_key(page, way) for _ in range(KEYS + 1)][1:]


def _key(page: Any, way: str) -> list[float]:
    """From an arrow key to the change in the page, and to the first changed frame, in ms."""
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate(WATCH_KEY, [WAYS[way][1], PAINTED])
    page.keyboard.press("ArrowRight")
    page.wait_for_function(TOOK, timeout=30_000)
    return page.evaluate("window.__took")


def _keys(page: Any) -> Iterator[Figure]:
    page.emulate_media(reduced_motion="reduce")           # the whole scene at once, as the peers do
    page.focus(".ki-player")
    page.keyboard.press("Home")
    rounds = [[_stepped(page, way) for way in WAYS] for _ in range(ROUNDS)]
    page.emulate_media(reduced_motion="no-preference")
    player, html, matplotlib = (list(zip(*chain(*way), strict=True))
                                for way in zip(*rounds, strict=True))
    for name, peer, least in (("Play and matplotlib", matplotlib, 10),
                              ("Play and HTML of the kernel", html, 4)):
        (changed, painted), (their_changed, their_painted) = (
            [statistics.median(column) for column in way] for way in (player, peer))
        yield Figure(f"key to changed frame, times {name}", their_painted / painted, "x", least,
                     note=f"{painted:.1f} ms, they {their_painted:.0f}; until the page is changed "
                          f"{changed:.1f}, they {their_changed:.0f}; {ROUNDS} x {KEYS} keys")


def _first_picture(page: Any) -> Figure:
    took = []
    for _ in range(PICTURES):
        page.wait_for_timeout(SETTLED_MS)
        page.evaluate(RUN_FOR_PICTURE, [PICTURE_CELL, PAINTED])
        page.wait_for_function(TOOK, timeout=30_000)
        took.append(page.evaluate("window.__took"))
    return Figure("first picture after the cell starts, 120 frames", statistics.median(took), "ms",
                  most=300, note=f"{min(took):.0f} to {max(took):.0f}; filming is part of it")
