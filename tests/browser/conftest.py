"""One JupyterLab, one Notebook, one Chromium for the session; nothing may leave the host."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import sync_playwright

from kafka_internals.tools.browser import (
    ARGS,
    CHROMIUM,
    FAILED,
    RAN,
    READY,
    RUN,
    Server,
    write_notebook,
)
from kafka_internals.viz.player import Player
from tests.viz import films

HOST_NOISE = re.compile("|".join((          # said without us:
    "reading 'schema'",                     # by Notebook 7 with no player at all,
    "Could not restore the debugger state",     # by Lab's debugger when a kernel restarts,
    r"status of 500 .*/api/kernels\?",      # by Lab that lists the kernels while one is begun
)))                                         # (jupyter_server 2.21 has no last activity of it yet)
FILM = "from kafka_internals.viz.player import Player\nfrom tests.viz import films\n"


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    server = Server("jupyterlab", tmp_path_factory.mktemp("lab"))
    write_notebook(server.root / "player.ipynb", FILM, "Player(films.replicas())", "1 + 1")
    write_notebook(server.root / "hostile.ipynb", FILM, "Player(films.hostile())")
    yield server.wait()
    server.stop()


@pytest.fixture(scope="package")
def notebook7(tmp_path_factory):
    server = Server("notebook", tmp_path_factory.mktemp("notebook7"))
    write_notebook(server.root / "player.ipynb", FILM, "Player(films.replicas())")
    yield server.wait()
    server.stop()


@pytest.fixture(scope="package")             # Playwright's event loop counts as running until then
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


class View:
    """A page that records every error and every request that would leave this machine."""

    def __init__(self, browser, **options) -> None:
        options = {"viewport": {"width": 1280, "height": 1000}} | options
        self.context = browser.new_context(**options)
        self.outside, self.errors = [], []
        self.context.route("**/*", self._gate)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self._error(str(error)))
        self.page.on("console", lambda m: m.type == "error" and self._error(
            f"{m.text} ({m.location['url']})"))

    def _error(self, text: str) -> None:
        if not HOST_NOISE.search(text):
            self.errors.append(text)

    def _gate(self, route) -> None:
        url = route.request.url
        local = url.startswith(("data:", "blob:", "file:"))
        if local or urlparse(url).hostname == "127.0.0.1":
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def player(self):
        self.page.wait_for_selector(".ki-player[data-step] svg rect")
        return self.page.locator(".ki-player").first

    def open_file(self, path: Path):
        self.page.goto(path.as_uri())
        return self.player()

    def run_notebook(self, server: Server, name: str, tree: str = "lab/tree"):
        self.page.goto(f"{server.url}/{tree}/{name}?reset")
        self.page.wait_for_function(READY, timeout=60_000)
        self.command("notebook:run-all-cells")
        self.page.wait_for_selector(".ki-player[data-step] svg rect, .ki-still img")
        return self.page.locator(".ki-player, .ki-still").first

    def command(self, command: str, args: dict | None = None) -> None:
        self.page.evaluate(RUN, [command, args or {}])
        self.page.wait_for_function(RAN, timeout=60_000)
        assert self.page.evaluate("window.__ran.ok")
        assert self.page.locator(FAILED).count() == 0

    def at(self, step: int) -> None:
        self.page.wait_for_function(
            f"() => document.querySelector('.ki-player').dataset.step === '{step}'")

    def clean(self) -> None:
        assert (self.errors, self.outside) == ([], [])


@contextmanager
def views(browser) -> Iterator[Callable[..., View]]:
    """Opens pages; in the end none of them may have had an error."""
    opened = []

    def make(**options) -> View:
        opened.append(View(browser, **options))
        return opened[-1]
    yield make
    for one in opened:
        one.clean()
        one.context.close()


@pytest.fixture
def view(browser):
    with views(browser) as make:
        yield make


@pytest.fixture(scope="module")
def shared(browser):
    """Pages that serve several tests: to open JupyterLab takes longer than most of them."""
    with views(browser) as make:
        yield make


@pytest.fixture(scope="package")
def pages(tmp_path_factory):
    """Each film of `tests.viz.films` as a saved page: its name -> file."""
    folder = tmp_path_factory.mktemp("pages")
    return {make.__name__: Player(make()).save(folder / f"{make.__name__}.html")
            for make in films.ALL}
