"""The bootstrap: which Python it takes, what it says, and one clear line where it cannot go on."""

import builtins
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kafka_internals.tools import setup

ROOT = Path(__file__).parents[2]


def _said(*arguments: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "kafka_internals", *arguments], cwd=ROOT,
                          capture_output=True, text=True, **more)


def test_help_names_every_verb_in_a_screenful():
    done = _said("--help")
    assert done.returncode == 0 and len(done.stdout.splitlines()) <= 24
    assert all(f"  {verb} " in done.stdout for verb in setup.VERBS)


def test_no_verb_shows_the_same_and_fails():
    done = _said()
    assert (done.returncode, done.stdout) == (2, _said("--help").stdout)


def test_an_unknown_verb_says_which_there_are():
    done = _said("labb")
    assert done.returncode == 2
    assert "there is no verb 'labb'; there is lab, test, notebooks" in done.stdout


def test_too_old_a_python_gets_one_line():
    code = ("import sys, runpy; sys.version_info = (3, 9, 1, 'final', 0); "
            "runpy.run_module('kafka_internals', run_name='__main__', alter_sys=True)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip() == (
        "This course needs Python 3.11 or newer; this is Python 3.9. Start it with a newer one, "
        "like: python3.12 -m kafka_internals lab")


@pytest.mark.parametrize("have, line, met", [
    ("8.1.0", "pytest>=8,<10", True), ("10.0", "pytest>=8,<10", False),
    ("7.4.4", "pytest>=8,<10", False), ("8.0.0rc1", "pytest>=8", True),
    ("0.3.0", "x>=0.2.2,<0.3", False), ("0.2.9", "x>=0.2.2,<0.3", True),
    ("2026.4.0", "x>=2024.3", True), ("1.10", "x>=1.9", True)])
def test_a_version_meets_a_requirement_or_not(monkeypatch, have, line, met):
    monkeypatch.setattr(setup.importlib.metadata, "version", lambda name: have)
    assert (setup.missing([line]) == []) is met


def test_a_package_that_is_not_there_is_missing():
    assert setup.missing(["no-such-package-as-this>=1"]) == ["no-such-package-as-this>=1"]


def test_two_dependency_sets():
    assert set(setup.requirements("run")) < set(setup.requirements("test"))


def test_an_environment_that_has_everything_is_used_as_it_is(monkeypatch):
    monkeypatch.setattr(setup, "missing", lambda lines: [])
    assert setup.interpreter("test") == sys.executable


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment in which nothing is installed, and a `.venv` that is made in a moment."""
    monkeypatch.setattr(setup, "missing", lambda lines: lines)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    steps = []

    def step(arguments):
        steps.append(arguments)
        python = tmp_path / ".venv/bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(setup, "_step", step)
    return steps


def test_the_first_run_fills_a_venv_and_the_second_does_nothing(bare, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    python = setup.interpreter("run")
    assert python == str(tmp_path / ".venv/bin/python")
    assert bare[0][1:3] == ["-m", "venv"] and bare[-1][-1] == str(ROOT)
    done = len(bare)
    assert setup.interpreter("run") == python and len(bare) == done


def test_the_larger_set_has_all_of_the_smaller(bare):
    setup.interpreter("test")
    done = len(bare)
    setup.interpreter("run")
    assert len(bare) == done


def test_another_set_or_another_pyproject_fills_it_again(bare, monkeypatch):
    setup.interpreter("run")
    done = len(bare)
    setup.interpreter("test")
    assert len(bare) > done and bare[-1][-1] == f"{ROOT}[test]"
    done = len(bare)
    monkeypatch.setattr(setup, "_fingerprint", lambda: "changed")
    setup.interpreter("test")
    assert len(bare) > done


def test_uv_is_taken_where_it_is(bare, monkeypatch):
    monkeypatch.setattr(setup.shutil, "which", lambda name: "/opt/uv")
    setup.interpreter("run")
    assert all(step[0] == "/opt/uv" for step in bare)


def test_no_venv_module_gets_one_line(bare, monkeypatch, capsys):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    real = builtins.__import__

    def without(name, *rest, **more):
        if name in ("venv", "ensurepip"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert setup.main(["notebooks"]) == 1
    assert capsys.readouterr().err == ("This Python has no venv module. On Debian or Ubuntu: sudo "
                                       "apt install python3-venv\n")


def test_a_step_that_fails_gets_one_line_with_its_own_error(monkeypatch, capsys):
    monkeypatch.setattr(setup, "interpreter", lambda needs: setup._step(
        [sys.executable, "-c", "print('x'); print('ERROR: no route'); raise SystemExit(1)"]))
    assert setup.main(["export"]) == 1
    assert capsys.readouterr().err == (
        "The set-up failed: ERROR: no route. Mend that, then run the same command again.\n")


def test_no_network_gets_one_line(tmp_path):
    """A real pip and an index where nobody answers."""
    copy = tmp_path / "clone"
    shutil.copytree(ROOT / "kafka_internals", copy / "kafka_internals")
    shutil.copy(ROOT / "pyproject.toml", copy)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "kafka_internals", "export"], cwd=copy, capture_output=True,
        text=True, env={"PATH": "", "PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0"})
    assert done.returncode == 1
    assert done.stderr == ("No network: what the course needs could not be fetched. Connect, then "
                           "run the same command again.\n")


def test_a_venv_that_is_half_made_is_made_anew(bare, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    dead = tmp_path / ".venv/bin/python"
    dead.parent.mkdir(parents=True)
    dead.symlink_to(tmp_path / "gone")
    setup.interpreter("run")
    assert bare[0][1:3] == ["-m", "venv"] and not dead.is_symlink()


def test_a_busy_port_means_the_next_one_and_says_so(monkeypatch, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        number = busy.getsockname()[1]
        monkeypatch.setattr(setup, "PORT", number)
        (said,) = setup.port([])
        assert int(said.removeprefix("--port=")) > number
        assert f"Port {number} is busy" in capsys.readouterr().out
    assert setup.port(["--port=1234"]) == []


def test_arguments_go_through(monkeypatch):
    called = []
    monkeypatch.setattr(setup, "interpreter", lambda needs: "python")
    monkeypatch.setattr(setup, "become", lambda arguments, variables: called.append(
        (arguments, variables["PYTHONPATH"].split(":")[0])) or 7)
    assert setup.main(["lab", "--no-browser", "--port=9"]) == 7
    assert setup.main(["test", "tests/sim", "-x"]) == 7
    (lab, path), (test, _) = called
    assert "--no-browser" in lab and lab[-1] == setup.FIRST and path == str(ROOT)
    assert test == ["python", "-m", "pytest", *setup.NBVAL, "tests/sim", "-x"]


def test_the_verb_keeps_its_process_so_that_signals_and_status_are_its_own():
    """Ctrl-C and a kill reach JupyterLab itself, and no server is left behind."""
    child = "import os, sys; print(os.getpid()); sys.exit(7)"
    code = ("import os, sys; from kafka_internals.tools import setup; print(os.getpid());"
            f"setup.become([sys.executable, '-c', {child!r}], dict(os.environ))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    before, after = done.stdout.split()
    assert before == after and done.returncode == 7
