"""A real JupyterLab and a real Chromium, for whoever looks at players where they are used.

The browser tests and the player's bench share it: a Jupyter server with configuration of its own,
so that nothing of the person's is read or written, and the few words that drive Lab from a page.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ABSENT = "there is no Chromium on the PATH (apt-get install chromium)"
ARGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update").split()
# Lab's own "idle" mark shows before there is a session; what is run then is lost.
READY = """() => { const s = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const k = s?.session?.kernel;
  return !!(s?.isReady && k?.connectionStatus === 'connected' && k.status === 'idle') }"""
# Waiting in the page has no timeout: start the command, keep its end, wait for that from outside.
RUN = """([name, args]) => { window.__ran = null; jupyterapp.commands.execute(name, args).then(
  ok => { window.__ran = {ok: ok !== false} },
  error => { window.__ran = {ok: false, error: `${error}`} }) }"""
RAN = "() => window.__ran !== null"
FAILED = ('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"],'
          '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]')
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of these code cells."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3",
                                       "language": "python"}
    nbformat.write(notebook, path)


class Server:
    """A Jupyter server on a free loopback port; its notebooks are in `root`."""

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
        """What the server's processes see: the package, and configuration of their own."""
        own = {name: str(self.work / name.lower()) for name in (
            "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
        return os.environ | own | {"PYTHONPATH": str(ROOT)}

    def wait(self) -> "Server":
        """Itself, once it answers; TimeoutError with the end of its log after 30 s."""
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/api/status", timeout=1)
                return self
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise TimeoutError(f"Jupyter does not answer: {(self.work / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it, and with it its kernels."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
