"""The command: python -m tests.golden.recorder CASE ... [--jars DIR] [--out DIR]
[--check | --mount]

A CASE is the name of a stored one (`rec-*` for all that match) or a `case.json` of one's own with
`id`, `topicName`, `broker`, `topic`, `compare` and `steps`.
"""

import argparse
import fnmatch
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.golden.cases import GOLDEN, Case
from tests.golden.recorder.broker import JARS, Broker, BrokerUnavailable, java_command
from tests.golden.recorder.compare import Comparison
from tests.golden.recorder.mount import NothingToMount, mounted, our_log
from tests.golden.recorder.steps import record, stops
from tests.golden.replay import Replay

STORED = GOLDEN / "storage"
NEEDED = ("id", "topicName", "broker", "topic", "compare", "steps")


class BadCase(Exception):
    """There is no such case, or it cannot be recorded."""


def found(names: list[str]) -> dict[Path, dict]:
    """{file: content} of the cases; a pattern passes over those without steps. Raises BadCase."""
    stored = sorted(path.parent.name for path in STORED.glob("*/case.json"))
    contents: dict[Path, dict] = {}
    for name in names:
        matching = [STORED / one / "case.json" for one in fnmatch.filter(stored, name)]
        if not matching and not Path(name).is_file():
            raise BadCase(f"{name!r} is neither a file nor one of {len(stored)} stored cases")
        for path in matching or [Path(name)]:
            content = json.loads(path.read_text("utf-8"))
            if "op" in (content.get("steps") or [{}])[0]:
                contents[path] = _complete(path, content)
            elif path.parent.name == name or not matching:
                raise BadCase(f"{path} has no steps that a broker could be given")
    ids = [content["id"] for content in contents.values()]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise BadCase(f"several of the cases have the id {', '.join(sorted(twice))}")
    return contents


def _complete(path: Path, content: dict) -> dict:
    if missing := [name for name in NEEDED if name not in content]:
        raise BadCase(f"{path} says nothing about {', '.join(missing)}")
    return content


def recorded(contents: list[dict], jars: Path, out: Path) -> Iterator[dict]:
    """Record the cases below `out`, those that stop alike on one broker; each when it is there."""
    together: dict[tuple, list[dict]] = {}
    for content in contents:
        together.setdefault(stops(content), []).append(content)
    for alike in together.values():
        with tempfile.TemporaryDirectory(prefix="recorder-") as work:
            record(alike, Broker(Path(work), alike[0]["broker"], jars), out)
        yield from alike


def checks(cases: dict[Path, dict], jars: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """(id, differences from what its file says) of each case as it is recorded below `out`."""
    files = {content["id"]: path for path, content in cases.items()}
    for content in recorded(list(cases.values()), jars, out):
        yield content["id"], differences(files[content["id"]].parent, out / content["id"])


def differences(stored: Path, new: Path) -> list[str]:
    """How a case recorded anew differs from the stored one; the directories of both."""
    return list(Comparison(*(Case(str(one.resolve())) for one in (stored, new))).differences())


def mounts(cases: dict[Path, dict], jars: Path) -> Iterator[tuple[str, list[str]]]:
    """(id, differences) of each case whose log, written by us, a real broker served."""
    together: dict[str, list[Replay]] = {}
    for path in cases:
        case = Case(str(path.parent.resolve()))
        try:
            together.setdefault(json.dumps(case.broker), []).append(our_log(case))
        except NothingToMount as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    for logs in together.values():
        with tempfile.TemporaryDirectory(prefix="recorder-") as work:
            yield from mounted(logs, Path(work), jars)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.recorder",
                                     description="Record storage cases from a real Kafka 4.4.0.")
    parser.add_argument("cases", nargs="+", metavar="CASE")
    parser.add_argument("--jars", type=Path, default=JARS, help="Kafka's jars")
    parser.add_argument("--out", type=Path, help="where the new cases go")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true",
                      help="compare with the stored cases; status 1 when they differ")
    what.add_argument("--mount", action="store_true",
                      help="put our own logs under a broker; status 1 when it serves others")
    options = parser.parse_args(arguments)
    if options.out is None and not (options.check or options.mount):
        parser.error("say --out DIR to keep the cases, or --check or --mount to compare")
    return options


def main(arguments: list[str]) -> int:
    """Exit status: 0, 1 for a difference, 2 where nothing could be recorded."""
    options, status = _options(arguments), 0
    try:
        java_command(options.jars)
        cases = found(options.cases)
    except (BrokerUnavailable, BadCase) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="recorded-") as scratch:
        out = options.out or Path(scratch)
        if not (options.check or options.mount):
            for content in recorded(list(cases.values()), options.jars, out):
                print(f"{content['id']}: in {out / content['id']}", flush=True)
            return 0
        told = mounts(cases, options.jars) if options.mount else \
            checks(cases, options.jars, out)
        for name, unlike in told:
            status |= bool(unlike)
            print(f"{name}: " + ("\n  ".join(unlike) or "equal"), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
