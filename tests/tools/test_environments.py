"""pyproject.toml, environment.yml and binder/ ask for the same things; no network is needed."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from repo2docker.app import Repo2Docker

ROOT = Path(__file__).parents[2]
CONDA_NAMES = {"matplotlib-base": "matplotlib", "python-graphviz": "graphviz"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())


def _conda() -> dict[str, str]:
    """What environment.yml asks for, by the names of the Python package index."""
    lines = [one for one in CONDA["dependencies"] if isinstance(one, str)]
    lines += [line for one in CONDA["dependencies"] if isinstance(one, dict) for line in one["pip"]]
    found = dict(re.fullmatch(r"([\w.-]+)(.*)", line).groups() for line in lines)
    return {CONDA_NAMES.get(name, name): limits for name, limits in found.items()}


def test_conda_asks_for_the_runtime_set_with_the_same_limits():
    wanted = {(one := Requirement(line)).name: one.specifier for line in PROJECT["dependencies"]}
    given = {name: limits for name, limits in _conda().items() if name not in ("python", "pip")}
    assert set(given) == set(wanted)
    assert all(Requirement(f"x{limits}").specifier == wanted[name]
               for name, limits in given.items())


def test_python_is_pinned_where_binder_needs_it():
    assert _conda()["python"] == "=3.12"
    assert "3.12" in Requirement(f"x{PROJECT['requires-python']}").specifier


def test_channels_and_no_local_path():
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    assert not any(name.startswith(("-", ".", "file:")) for name in _conda())


def test_binders_copy_is_byte_equal():
    assert (ROOT / "binder/environment.yml").read_bytes() == (ROOT / "environment.yml").read_bytes()


def test_post_build_is_strict_executable_and_turns_the_news_off():
    script = ROOT / "binder/postBuild"
    assert script.stat().st_mode & 0o111 and b"\r" not in script.read_bytes()
    assert "set -euo pipefail" in script.read_text() and "jupyter trust" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)
    settings = json.loads((ROOT / "binder/overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


@pytest.fixture(scope="module")
def image():
    before = os.getcwd()
    os.chdir(ROOT)                           # build packs look in the working directory
    try:
        for kind in Repo2Docker().buildpacks:
            pack = kind("ubuntu:24.04")
            pack.platform = "linux/amd64"
            if pack.detect():
                return pack, pack.render({"NB_UID": "1000"})
    finally:
        os.chdir(before)
    pytest.fail("Binder would find nothing to build from")


def test_binder_builds_with_conda_and_python_3_12(image):
    pack, _ = image
    assert (type(pack).__name__, pack.python_version) == ("CondaBuildPack", "3.12")


def test_binder_installs_before_it_copies_the_sources_and_then_runs_post_build(image):
    before, after = image[1].split("src/ ${REPO_DIR}/", 1)
    assert "env update" in before and "env update" not in after
    assert "RUN ./binder/postBuild" in after


def test_ci_runs_the_readmes_command_and_requires_a_browser():
    script, readme = (ROOT / ".ci/run").read_text(), (ROOT / "README.md").read_text()
    assert "python3 -m kafka_internals test\n" in script and "REQUIRE_BROWSER=1" in script
    assert all(f"python3 -m kafka_internals {verb}" in readme for verb in ("lab", "test"))
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == [
        "3.11", "3.12", "3.13", "3.14"]
    assert workflow["permissions"] == {"contents": "read"}
