"""The film of one accident: a segment as it was written, as the disk gives it back, and two cuts.

The broker's cut is what LogSegment.recover keeps. The answer's cut is beside it; what lies between
the two is lost for nothing, or served though nobody wrote it.
"""

from typing import Any

from kafka_internals.viz.film import stills
from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.theme import width_of

SIZE, LEFT, WIDE = (720, 332), 20, 680
INDEX_Y, LOG_Y, LOG_H, BROKER_Y, ANSWER_Y = 92, 128, 48, 224, 284
BATCH, ENTRY = "kind-1", "kind-2"
WORDS = {BATCH: "batch in the .log", ENTRY: "entry of the .index"}
LABELLED = 44                               # units that a batch needs to carry its length


def recovery_film(case: Any, given: int | None) -> Player:
    """Play one case; `given` is what the answer kept, None where it gave no number of bytes."""
    one = case.about
    scale = WIDE / max(len(one.written), len(one.log), given or 0, 1)
    steps = [("append", "as it was written", _written), ("fault", one.kind, _found),
             ("cut", f"the broker keeps {one.kept}", _kept)]
    if given is not None:
        steps.append(("violation", f"the answer keeps {given}", _answered))
    scenes = []
    for _, _, draw in steps:
        scene = Scene("what stands in which file", size=SIZE, words=WORDS)
        draw(scene, one, scale, given)
        scenes.append(scene)
    return Player(stills(scenes, case.name[:1].upper() + case.name[1:],
                         [(mark, text) for mark, text, _ in steps]))


def _x(position: int, scale: float) -> float:
    return LEFT + position * scale


def _written(scene: Scene, one: Any, scale: float, given: int | None) -> None:
    _log(scene, one, scale, len(one.written), len(one.written))
    scene.caption(f"{len(one.spans)} batches were appended, {len(one.written)} bytes. They are in "
                  f"the page cache; the disk has what was flushed, and what the system wrote back.")


def _found(scene: Scene, one: Any, scale: float, given: int | None) -> None:
    _log(scene, one, scale, len(one.log), one.kept)
    _index(scene, one, scale)
    bad = len(one.log) - one.kept
    told = f"from byte {one.kept} on, {bad} of them are not what was written" if bad else \
        "all of them sound"
    scene.caption(f"After {one.kind.replace('a clean end', 'a power loss')}, the file has "
                  f"{len(one.log)} bytes: {told}.")


def _kept(scene: Scene, one: Any, scale: float, given: int | None) -> None:
    _found(scene, one, scale, given)
    _cut(scene, "broker", one.kept, "the broker keeps", scale, BROKER_Y, "bold-line", "s14 w7")
    scene.caption(f"The broker reads batch by batch from byte 0. It keeps {one.kept} bytes, cuts "
                  f"the rest, and makes the index anew.")


def _answered(scene: Scene, one: Any, scale: float, given: int) -> None:
    _kept(scene, one, scale, given)
    shown = max(0, given)
    start, end = sorted((shown, one.kept))
    scene.rect("between", _x(start, scale), LOG_Y - 5, max(2, (end - start) * scale), LOG_H + 10,
               "dangerwash", r=4, z=0)
    _cut(scene, "answer", shown, "this answer keeps", scale, ANSWER_Y, "hotline", "s14 w7 bad")
    if given > one.kept:
        scene.caption(f"This answer keeps {given - one.kept} bytes too many: a reader would be "
                      f"served what nobody wrote.")
    else:
        scene.caption(f"This answer keeps {one.kept - given} bytes too few: sound records would be "
                      f"gone.")


def _log(scene: Scene, one: Any, scale: float, there: int, sound: int) -> None:
    scene.text("log/name", LEFT, 30, ".log", "s13 w7")
    scene.text("log/size", LEFT + 40, 30, f"{there} bytes", "s12 soft")
    scene.line("log/base", LEFT, LOG_Y + LOG_H + 6, LEFT + WIDE, LOG_Y + LOG_H + 6, "base", z=0)
    for number, (start, end) in enumerate(one.spans):
        if start >= there:
            state = "ghost"
        else:
            state = "committed" if end <= sound else "doomed"
        x, wide = _x(start, scale), (end - start) * scale - 2
        scene.rect(f"batch/{number}", x, LOG_Y, wide, LOG_H, f"batch {BATCH} {state}", r=4,
                   inspect=_details(one, number, there))
        if wide >= LABELLED:
            look = {"ghost": "faint", "doomed": "bad", "committed": f"on {BATCH}"}[state]
            scene.text(f"batch/{number}/size", x + wide / 2, LOG_Y + 29, end - start,
                       f"s12 mid {look}")
    if there < len(one.written):
        x = _x(there, scale)
        scene.line("log/end", x, LOG_Y - 8, x, LOG_Y + LOG_H + 14, "rule", z=3)
        _beside(scene, "log/end", x, LOG_Y + LOG_H + 28, f"file ends at {there}", "s12 faint")


def _index(scene: Scene, one: Any, scale: float) -> None:
    scene.text("index/name", LEFT, 62, ".index", "s13 w7")
    count = len(one.entries)
    scene.text("index/size", LEFT + 52, 62,
               f"{count} {'entry' if count == 1 else 'entries'}, each points at a byte of the .log",
               "s12 soft")
    for number, position in enumerate(one.entries):
        x = _x(position, scale)
        scene.line(f"entry/{number}", x, INDEX_Y, x, LOG_Y - 4, f"toneline {ENTRY}", z=3)
        scene.circle(f"entry/{number}/dot", x, INDEX_Y, 4, f"toned {ENTRY}", z=3)


def _cut(scene: Scene, key: str, position: int, word: str, scale: float, y: float, look: str,
         ink: str) -> None:
    x = _x(position, scale)
    scene.line(f"{key}/cut", x, LOG_Y - 14, x, y + 6, look, z=6)
    _beside(scene, key, x, y, f"{word} {position}", ink, gap=8)


def _beside(scene: Scene, key: str, x: float, y: float, text: str, look: str,
            gap: float = 6) -> None:
    """A text right of x, or left of it where it would leave the stage."""
    fits = x + gap + width_of(text, 15, True) <= SIZE[0] - 4
    scene.text(f"{key}/text", x + gap if fits else x - gap, y + 4, text,
               look if fits else f"{look} right")


def _details(one: Any, number: int, there: int) -> dict:
    start, end = one.spans[number]
    return {"title": f"Batch {number}", "where": "the .log", "fields": [
        ["first byte", start], ["size", end - start],
        ["of it in the file", max(0, min(end, there) - start)]]}
