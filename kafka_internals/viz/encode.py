"""Film v1 on the wire: whole scenes in, deltas out, packed; and the digest that tests compare.

A frame carries what changed since the frame before it: `set` holds new shapes whole and known
shapes by their changed attributes (null deletes one), `gone` the keys that left, `waits` the same
for what values wait for. The digest covers what a film says (events, captions, keys, texts and
questions of its shapes, and the same of the films inside), never geometry or look, so that a change
of style fails no notebook.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

VERSION = 1
SAYING = ("t", "a")                         # the attributes of a shape that say something

Shapes = dict[str, dict[str, Any]]
Frame = dict[str, Any]


def delta(frames: Iterable[Frame]) -> list[Frame]:
    """Film v1 frames from whole ones: each has `shapes` (key -> shape) and may have `waits`."""
    coded, shapes, waits = [], {}, {}
    for frame in frames:
        rest = {a: v for a, v in frame.items() if a not in ("shapes", "waits")}
        now, now_waits = frame["shapes"], frame.get("waits", {})
        coded.append(rest | {
            "set": {key: change for key, shape in now.items()
                    if (change := _changed(shapes.get(key), shape))},
            "gone": [key for key in shapes if key not in now],
            "waits": _changed(waits, now_waits)})
        shapes, waits = now, now_waits
    return coded


def _changed(old: dict | None, new: dict) -> dict:
    if old is None:
        return new
    if old == new:
        return {}
    return ({a: v for a, v in new.items() if a not in old or old[a] != v}
            | {a: None for a in old if a not in new})


def _apply(old: dict, change: dict) -> dict:
    return {a: v for a, v in (old | change).items() if v is not None}


def materialise(frames: Iterable[Frame]) -> list[Shapes]:
    """The scene of every frame as key -> shape: what the player does with `set` and `gone`."""
    scenes: list[Shapes] = []
    for frame in frames:
        left = set(frame["gone"])
        shapes = {k: s for k, s in (scenes[-1] if scenes else {}).items() if k not in left}
        for key, change in frame["set"].items():
            shapes[key] = _apply(shapes.get(key, {}), change)
        scenes.append(shapes)
    return scenes


def waits_of(frames: Iterable[Frame]) -> list[dict[str, str]]:
    """What each pair "<subject> <attribute>" waits for, frame by frame."""
    waits: list[dict[str, str]] = []
    for frame in frames:
        waits.append(_apply(waits[-1] if waits else {}, frame["waits"]))
    return waits


def telling(film: dict) -> int:
    """The index, among the frames of `truth`, of the frame to show first (-1: no frame at all)."""
    frames = film["frames"]["truth"]
    upto = [i for i, frame in enumerate(frames) if frame["event"] <= film["telling"]]
    return upto[-1] if upto else min(0, len(frames) - 1)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


def pack(film: dict) -> bytes:
    """The film as the browser gets it: gzip'd JSON, the same bytes for the same film."""
    return gzip.compress(_json(film), compresslevel=6, mtime=0)


def unpack(packed: bytes) -> dict:
    """The film again."""
    return json.loads(gzip.decompress(packed))


def digest(film: dict) -> str:
    """SHA-256 over what the film says: events, captions, and its scenes without their looks."""
    whole = hashlib.sha256()
    whole.update(_json(film["events"]))
    for whose in sorted(film["frames"]):
        whole.update(_json(whose))
        for frame in film["frames"][whose]:
            said = {key: {a: v for a, v in change.items() if a in SAYING}
                    for key, change in sorted(frame["set"].items())
                    if "k" in change or any(a in change for a in SAYING)}
            whole.update(_json([frame["event"], frame["say"], said, sorted(frame["gone"])]))
    for name, pictures in sorted(film.get("inside", {}).items()):
        whole.update(_json([name, [[*rest, digest(one)] for *rest, one in pictures]]))
    return whole.hexdigest()
