"""One JupyterLab, one Notebook, one Chromium for the session; nothing may leave the host."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from kafka_internals.viz.player import Player
from tests.conftest import CHROMIUM
from tests.viz import films

ROOT = Path(__file__).parents[2]
ARGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update").split()
READY = """() => { const s = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const k = s?.session?.kernel;
  return !!(s?.isReady && k?.connectionStatus === 'connected' && k.status === 'idle') }"""
RUN = """command => { window.__ran = null; jupyterapp.commands.execute(command).then(
  ok => { window.__ran = {ok} }, error => { window.__ran = {ok: false, error: `${error}`} }) }"""
FAILED = ('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"],'
          '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]')
HOST_NOISE = (                              # said by Notebook 7 with no player at all, and by
    "reading 'schema'",                     # Lab's debugger when a kernel restarts
    "Could not restore the debugger state",
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3",
                                       "language": "python"}
    nbformat.write(notebook, path)


class Server:
    """A Jupyter server on a free loopback port, with configuration of its own."""

    def __init__(self, application: str, work: Path) -> None:
        self.work, self.root = work, work / "notebooks"
        self.root.mkdir(parents=True)
        for name, values in SETTINGS.items():
            file = work / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", application, "--allow-root", "--no-browser", "--ip=127.0.0.1",
             f"--port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
             "--ServerApp.password=", f"--ServerApp.root_dir={self.root}",
             "--LabApp.extension_manager=readonly", f"--LabApp.workspaces_dir={work / 'spaces'}",
             f"--{'LabApp' if application == 'jupyterlab' else 'JupyterNotebookApp'}"
             f".user_settings_dir={work / 'settings'}", "--expose-app-in-browser"],
            env=self.environment(), stdout=(log := (work / "log").open("w")),
            stderr=subprocess.STDOUT, start_new_session=True)
        log.close()

    def environment(self) -> dict[str, str]:
        own = {name: str(self.work / name.lower()) for name in (
            "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
        return os.environ | own | {"PYTHONPATH": str(ROOT)}

    def wait(self) -> "Server":
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/api/status", timeout=1)
                return self
            except OSError:
                time.sleep(0.1)
        pytest.fail((self.work / "log").read_text()[-2000:])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)        # it shuts its kernels down
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


FILM = "from kafka_internals.viz.player import Player\nfrom tests.viz import films\n"


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    server = Server("jupyterlab", tmp_path_factory.mktemp("lab"))
    write_notebook(server.root / "player.ipynb", FILM, "Player(films.replicas())", "1 + 1")
    write_notebook(server.root / "hostile.ipynb", FILM, "Player(films.hostile())")
    yield server.wait()
    server.stop()


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory):
    server = Server("notebook", tmp_path_factory.mktemp("notebook7"))
    write_notebook(server.root / "player.ipynb", FILM, "Player(films.replicas())")
    yield server.wait()
    server.stop()


@pytest.fixture(scope="session")
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
        self.page.on("console", lambda m: m.type == "error" and self._error(m.text))

    def _error(self, text: str) -> None:
        if not any(noise in text for noise in HOST_NOISE):
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
        return self.player()

    def command(self, command: str) -> None:
        self.page.evaluate(RUN, command)
        self.page.wait_for_function("() => window.__ran !== null", timeout=60_000)
        assert self.page.evaluate("window.__ran.ok") is not False
        assert self.page.locator(FAILED).count() == 0

    def at(self, step: int) -> None:
        self.page.wait_for_function(
            f"() => document.querySelector('.ki-player').dataset.step === '{step}'")

    def clean(self) -> None:
        assert (self.errors, self.outside) == ([], [])


@pytest.fixture
def view(browser):
    opened = []

    def make(**options) -> View:
        opened.append(View(browser, **options))
        return opened[-1]
    yield make
    for one in opened:
        one.clean()
        one.context.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Each film of `tests.viz.films` as a saved page: its name -> file."""
    folder = tmp_path_factory.mktemp("pages")
    return {make.__name__: Player(make()).save(folder / f"{make.__name__}.html")
            for make in films.ALL}
