"""Set up once, then do what was asked for. Standard library only: nothing may be installed yet.

An environment that already has everything (conda, Binder, an active venv) is used as it is. Where
something is missing, `.venv` is made beside this package and filled by uv, if it is there, or pip.
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
FIRST = "notebooks/00_start_here.ipynb"
PORT = 8888
NBVAL = ("--nbval", "--nbval-sanitize-with=tests/notebooks/sanitize.cfg")
WHOLE_SUITE = ("--numprocesses=auto", "--dist=loadfile",     # the cells of a notebook stay together
               "--no-loadscope-reorder")                     # the tests' own order: longest first
TELL_EVERY_S = 5
LONG = ("Installing collected", "Resolved ", "Prepared ", "Installed ")   # silence follows
NO_NETWORK = re.compile("NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|"
                        "Failed to establish|error sending request|dns error|Read timed out|"
                        "Temporary failure in name|Network is unreachable|from versions: none",
                        re.IGNORECASE)


class Verb(NamedTuple):
    """One thing to do: what it is, and which dependency set it needs."""

    says: str
    needs: str = "run"


VERBS = {
    "lab": Verb("open the course in JupyterLab; further arguments go to JupyterLab"),
    "test": Verb("run the tests, and the notebooks under strict comparison; arguments: pytest's",
                 "test"),
    "notebooks": Verb("execute the notebooks and write them in normal form; --check proves it"),
    "bench": Verb("measure: ratios within one run, beside their goals", "test"),
    "export": Verb("write notebooks, or a broker's log directory, as pages with live players"),
}


def usage() -> str:
    """What `--help` says."""
    lines = ["usage: python3 -m kafka_internals VERB [ARGUMENTS]", ""]
    lines += [f"  {name:<10} {verb.says}" for name, verb in VERBS.items()]
    lines += ["", "The first run makes .venv beside this package and installs into it (with uv, if",
              "that is on the PATH, else with pip; needs the network, about a minute). An",
              "environment that already has everything is used as it is."]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run one verb; gives the exit status."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name not in VERBS:
        print(f"there is no verb {name!r}; there is {', '.join(VERBS)}\n\n{usage()}")
        return 2
    try:
        python = interpreter(VERBS[name].needs)
        arguments = [python, *command(name, rest)]
    except (SetUpFailed, OSError) as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where this one was.", file=sys.stderr)
        return 130
    return become(arguments, environment(python))


def become(arguments: list[str], variables: dict[str, str]) -> int:
    """Hand the terminal over: Ctrl-C, signals and the exit status are the new program's own."""
    os.chdir(ROOT)
    if os.name == "nt":
        return subprocess.call(arguments, env=variables)
    sys.stdout.flush()
    os.execve(arguments[0], arguments, variables)


def environment(python: str) -> dict[str, str]:
    """Kernels and subprocesses find the package, and the programs installed beside `python`."""
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": python_path, "PATH": path}


def command(name: str, rest: list[str]) -> list[str]:
    """The arguments for Python that do what the verb says."""
    if name == "lab":
        return ["-m", "kafka_internals.tools.lab", *port(rest), f"--ServerApp.root_dir={ROOT}",
                *rest, *([] if any(one.endswith(".ipynb") for one in rest) else [FIRST])]
    if name == "test":
        return ["-m", "pytest", *NBVAL, *(rest or WHOLE_SUITE)]
    return ["-m", f"kafka_internals.tools.{name}", *rest]


def port(rest: list[str]) -> list[str]:
    """Jupyter's usual port, or the next free one, and say so. A port that was given stays."""
    if any(one.split("=")[0] in ("--port", "--ServerApp.port") for one in rest):
        return []
    free = next(number for number in range(PORT, PORT + 200) if _is_free(number))
    if free != PORT:
        print(f"Port {PORT} is busy; JupyterLab takes {free}.", flush=True)
    return [f"--port={free}"]


def _is_free(number: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


# -- which Python ----------------------------------------------------------------------------------
class SetUpFailed(Exception):
    """One line for the person in front of the screen."""


def requirements(needs: str) -> list[str]:
    """The requirement lines of a dependency set, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"] + (
        project["optional-dependencies"]["test"] if needs == "test" else [])


def missing(lines: list[str]) -> list[str]:
    """The requirements that this environment does not meet."""
    return [line for line in lines if not _is_met(line)]


def _is_met(line: str) -> bool:
    name = re.match(r"[\w.-]+", line)[0]
    try:
        version = _numbers(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False
    for compare, limit in re.findall(r"(>=|<)([\d.]+)", line):
        if (version >= _numbers(limit)) is not (compare == ">="):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, without zeros at the end: "8.1.0rc1" is (8, 1)."""
    numbers = [int(n) for n in re.match(r"[\d.]*", version)[0].strip(".").split(".") if n]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def interpreter(needs: str) -> str:
    """A Python that has the dependency set: this one, else the one in `.venv`, made if need be."""
    if not missing(requirements(needs)):
        return sys.executable
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamps = {one: VENV / f".set-up-{one}" for one in ("test", needs)}    # "test" has all of "run"
    if not (python.exists() and any(stamp.exists() and stamp.read_text() == _fingerprint()
                                    for stamp in stamps.values())):
        _fill(python, needs)
        stamps[needs].write_text(_fingerprint())
    return str(python)


def _fingerprint() -> str:
    """What a set-up was made from."""
    told = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode()
    return hashlib.sha256(told).hexdigest()


def _fill(python: Path, needs: str) -> None:
    """Make `.venv`, unless a whole one is there, and install the dependency set."""
    print("Setting up .venv (once; needs the network, about a minute).", flush=True)
    target = f"{ROOT}[test]" if needs == "test" else str(ROOT)
    if uv := shutil.which("uv"):
        _make(python, "sys", [uv, "venv", "--python", sys.executable, str(VENV)])
        _step([uv, "pip", "install", "--python", str(python), "--compile-bytecode", "-e", target])
        return
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetUpFailed("This Python has no venv module. On Debian or Ubuntu: "
                          "sudo apt install python3-venv") from None
    _make(python, "pip", [sys.executable, "-m", "venv", str(VENV)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _step([*pip, "install", "--upgrade", "pip"])
    _step([*pip, "install", "-e", target])


def _make(python: Path, module: str, arguments: list[str]) -> None:
    """Make `.venv` anew if it is half made, made by another Python, or its Python is gone."""
    code = f"import sys, {module}; sys.exit(sys.version != {sys.version!r})"
    try:
        whole = subprocess.run([python, "-c", code], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        whole = False
    if not whole:
        shutil.rmtree(VENV, ignore_errors=True)
        _step(arguments)


def _step(arguments: list[str]) -> None:
    """Run one step of the set-up; show that it moves, and one line where it fails."""
    told, began, spoke = [], time.monotonic(), time.monotonic()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          encoding="utf-8", errors="replace",
                          env={**os.environ, "PYTHONUNBUFFERED": "1", "PIP_USER": "0"}) as step:
        for line in filter(None, map(str.strip, step.stdout)):
            told.append(line)
            now = time.monotonic()
            if now - spoke >= TELL_EVERY_S or line.startswith(LONG):
                print(f"  {now - began:3.0f} s  {line[:70]}", flush=True)
                spoke = now
    if step.returncode:
        raise SetUpFailed(_failure(told, arguments))


def _failure(told: list[str], arguments: list[str]) -> str:
    """What to say of a step that failed: one line, with the way on."""
    if any(NO_NETWORK.search(line) for line in told):
        return ("No network: what the course needs could not be fetched. Connect, then run the "
                "same command again.")
    errors = [line for line in told if line.startswith(("ERROR", "error:"))]
    said = min(errors, key=lambda line: not line.startswith("ERROR"), default=" ".join(arguments))
    return f"The set-up failed: {said[:300]}. Mend that, then run the same command again."
