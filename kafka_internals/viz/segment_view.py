"""A partition's segments, and how an offset is found: segment, sparse index, scan of the headers.

What is shown is a `LookupSnapshot`: the way that LocalLog.read takes, one frame for each thing that
is looked at. An entry of the `.index` is a tick that points at the byte of the `.log` where its
batch begins; between two ticks lie batches of which the index knows nothing.
"""

from bisect import bisect_left
from operator import attrgetter
from typing import Any, NamedTuple

from kafka_internals.storage.lookup_snapshot import LookupSnapshot, SegmentSnapshot
from kafka_internals.viz.film import stills
from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.theme import width_of

SIZE, LEFT, WIDE = (720, 392), 16, 688
SEGMENTS_Y, INDEX_Y, LOG_Y = 76, 188, 292
SEGMENT_H, ENTRY_H, LOG_H = 46, 40, 44
MOST_SEGMENTS, MOST_ENTRIES, MOST_BATCHES, MOST_SCANNED = 6, 8, 40, 8
GROWN = 1.06                                # a narrow player's type, against the rest
BATCH, ENTRY = "kind-1", "kind-2"
WORDS = {BATCH: "batch in the .log", ENTRY: "entry of the .index"}


class Step(NamedTuple):
    """One frame: what is looked at, what has been settled, and the sentence about it.

    `entry`: number of the entry compared with; `scan`: number of the header read, -1 for none.
    """

    say: str
    event: str
    mark: str = "message"
    entry: int = -1
    is_settled: bool = False                # the floor is known
    scan: int = -1
    is_found: bool = False


def segment_view(lookup: LookupSnapshot, title: str = "", *, spoiler: bool = False) -> Player:
    """The film of one lookup; its last frame shows the batch that was found.

    `spoiler`: neither the still picture nor its text tells how it ends.
    """
    return Player(segment_film(lookup, title), spoiler=spoiler)


def segment_film(lookup: LookupSnapshot, title: str = "") -> dict:
    """The film of `segment_view`, as plain data."""
    steps = steps_of(lookup)
    scenes = [_scene(lookup, step) for step in steps]
    return stills(scenes, title or f"Offset {lookup.offset} in {lookup.partition}",
                  [(step.mark, step.event) for step in steps])


# -- the steps -------------------------------------------------------------------------------------
def steps_of(lookup: LookupSnapshot) -> list[Step]:
    """Everything that the lookup does, in order."""
    chosen, offset = lookup.segments[lookup.segment], lookup.offset
    steps = [Step(f"Offset {offset} is asked for: of {_count(len(lookup.segments), 'segment')} the "
                  f"one that begins at {chosen.base_offset} is the last that begins at or before "
                  f"it.", f"segment {chosen.base_offset}")]
    for number in _few(lookup.compared, _room(lookup) - 1):
        entry = lookup.entries[number]
        left = entry.offset > offset
        steps.append(Step(
            f"Entry {number} of the index is offset {entry.offset}, "
            f"{'after' if left else 'not after'} {offset}: the floor is "
            f"{'further left' if left else 'this entry or one further right'}.",
            f"entry {number}: {entry.offset}", "wait", entry=number))
    steps.append(_floor_step(lookup))
    shown = _scanned(lookup)
    for number in shown:
        steps.append(_scan_step(lookup, number, shown))
    if lookup.found is None:
        steps.append(Step(f"No batch ends at or behind {offset}: the log ends at "
                          f"{chosen.next_offset}, and a reader waits here for more.",
                          "nothing there yet", "wait", is_settled=True))
    return steps


def _floor_step(lookup: LookupSnapshot) -> Step:
    if lookup.floor < 0:
        why = "has no entry" if not lookup.entries else f"has no entry at or before {lookup.offset}"
        return Step(f"The index {why}: the scan begins at byte 0.", "floor: byte 0", "advance",
                    is_settled=True)
    entry = lookup.entries[lookup.floor]
    return Step(f"The floor is entry {lookup.floor}: the batch that ends at {entry.offset} begins "
                f"at byte {entry.position}, and the scan begins there.",
                f"floor: byte {entry.position}", "advance", entry=lookup.floor, is_settled=True)


def _scan_step(lookup: LookupSnapshot, number: int, shown: list[int]) -> Step:
    batch, offset = lookup.scanned[number], lookup.offset
    skipped = number - shown[shown.index(number) - 1] - 1 if number else 0
    after = f", after {_count(skipped, 'header')} more," if skipped > 0 else ""
    found = batch == lookup.found
    begins = f"The header at byte {batch.position}{after} says that its batch ends at " \
             f"{batch.last_offset}"
    if not found:
        return Step(f"{begins}: before {offset}, so the next one is read.",
                    f"header at byte {batch.position}", "byte", is_settled=True, scan=number)
    return Step(f"{begins}, so {offset} is in it: found, with {_count(number + 1, 'header')} read.",
                f"found at byte {batch.position}", "append", is_settled=True, scan=number,
                is_found=True)


def _wide(lookup: LookupSnapshot) -> float:
    """How wide an entry of this index has to be drawn: its last one is the longest."""
    return max((max(width_of(f"byte {one.position}", 12), width_of(str(one.offset), 14, True))
                for one in lookup.entries[-1:]), default=0) * GROWN + 22


def _room(lookup: LookupSnapshot) -> int:
    """How many entries of this index fit into the picture."""
    return min(MOST_ENTRIES, int(WIDE // _wide(lookup)))


def _few(numbers: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Of many compared entries the first and the last, each once."""
    numbers = tuple(dict.fromkeys(numbers))
    return numbers if len(numbers) <= most else numbers[:most // 2] + numbers[-(most - most // 2):]


def _scanned(lookup: LookupSnapshot) -> list[int]:
    """Which headers get a frame: of many the first and the last."""
    numbers = list(range(len(lookup.scanned)))
    half = MOST_SCANNED // 2
    return numbers if len(numbers) <= MOST_SCANNED else numbers[:half] + numbers[-half:]


# -- the picture -----------------------------------------------------------------------------------
def _scene(lookup: LookupSnapshot, step: Step) -> Scene:
    scene = Scene("what stands in which file", size=SIZE, words=WORDS)
    chosen = lookup.segments[lookup.segment]
    for name, value, x in (("asked for", f"offset {lookup.offset}", LEFT),
                           ("segments", len(lookup.segments), 196),
                           ("size of the log", _bytes(sum(s.size_bytes for s in lookup.segments)),
                            288),
                           (lookup.segment_config, _bytes(lookup.segment_bytes), 500)):
        scene.field(f"header/{name}", x, 26, name, value)
    _segments(scene, lookup, is_new=step.event == f"segment {chosen.base_offset}")
    batches = _window(lookup)
    scale = _Scale(batches, chosen.size_bytes)
    _index(scene, lookup, chosen, step, scale)
    _log(scene, lookup, chosen, step, batches, scale)
    scene.caption(step.say)
    return scene


def _segments(scene: Scene, lookup: LookupSnapshot, is_new: bool) -> None:
    """The segments as boxes; of many the neighbours of the chosen one."""
    first = max(0, min(lookup.segment - MOST_SEGMENTS // 2,
                       len(lookup.segments) - MOST_SEGMENTS))
    shown = lookup.segments[first:first + MOST_SEGMENTS]
    cell = min(150, WIDE / len(shown))
    for at, segment in enumerate(shown):
        x, key = LEFT + at * cell, f"segment/{segment.base_offset}"
        here = first + at == lookup.segment
        if here and is_new:
            scene.rect("segment/new", x - 4, SEGMENTS_Y - 4, cell, SEGMENT_H + 8, "highlight", r=6,
                       z=0)
        scene.rect(key, x, SEGMENTS_Y, cell - 8, SEGMENT_H, "box strong" if here else "box", r=4,
                   inspect=_segment_details(lookup, segment))
        scene.text(f"{key}/base", x + 7, SEGMENTS_Y + 20, segment.base_offset, "s14 w7")
        scene.text(f"{key}/size", x + 7, SEGMENTS_Y + 37, _short(segment.size_bytes), "s12 soft")
        if segment.is_active:
            scene.text(f"{key}/active", x + cell - 8, SEGMENTS_Y - 8, "active", "s12 soft right")
        if here:
            for side, near, far in (("left", x, LEFT), ("right", x + cell - 8, LEFT + WIDE)):
                scene.line(f"zoom/{side}", near, SEGMENTS_Y + SEGMENT_H, far, INDEX_Y - 42, "grid",
                           z=0)
    before, behind = first, len(lookup.segments) - first - len(shown)
    told = [f"{n} more {where}" for n, where in ((before, "before"), (behind, "behind")) if n]
    if told:
        scene.text("segments/more", LEFT, SEGMENTS_Y - 8, ", ".join(told), "s12 faint")


class _Scale:
    """Bytes of the `.log` -> x, over the batches that are shown."""

    def __init__(self, batches: list[Any], size_bytes: int) -> None:
        self.start = batches[0].position if batches else 0
        self.end = batches[-1].position + batches[-1].size if batches else max(1, size_bytes)

    def x(self, position: int) -> float:
        return LEFT + (position - self.start) / max(1, self.end - self.start) * WIDE

    def shows(self, position: int) -> bool:
        return self.start <= position < self.end


def _window(lookup: LookupSnapshot) -> list[Any]:
    """The batches to draw: all that are known, or those next to the scan."""
    batches = list(lookup.batches)
    if len(batches) <= MOST_BATCHES:
        return batches
    spots = [at for at, one in enumerate(batches) if one in lookup.scanned] or [len(batches) - 1]
    first = max(0, spots[0] - 4)
    last = max(spots[-1] + 3, first + MOST_BATCHES)
    return batches[max(0, min(first, len(batches) - MOST_BATCHES)):last]


def _index(scene: Scene, lookup: LookupSnapshot, chosen: SegmentSnapshot, step: Step,
           scale: _Scale) -> None:
    scene.text("index/name", LEFT, INDEX_Y - 24, ".index", "s13 w7")
    scene.text("index/size", LEFT + 46, INDEX_Y - 24, _index_size(chosen), "s12 soft")
    shown = _entries(lookup)
    cell = min(max(110.0, _wide(lookup)), WIDE / max(1, len(shown)))
    for at, number in enumerate(shown):
        x = LEFT + at * cell
        if at and number > shown[at - 1] + 1:
            scene.text(f"entry/{number}/gap", x - 5, INDEX_Y + 25, "…", "s12 faint mid")
        _entry(scene, lookup, chosen, step, number, (x, cell - 10), scale)
    first, last = (bisect_left(lookup.entries, byte, key=attrgetter("position"))
                   for byte in (scale.start, scale.end))
    for number in range(first, last):
        x = scale.x(lookup.entries[number].position)
        scene.line(f"tick/{number}", x, LOG_Y - 10, x, LOG_Y, f"toneline {ENTRY}", z=3)


def _index_size(chosen: SegmentSnapshot) -> str:
    told = f"{_count(chosen.entries, 'entry', 'entries')} for {_bytes(chosen.size_bytes)}"
    free = chosen.index_file_bytes - 8 * chosen.entries
    return f"{told}; the file is preallocated: {_bytes(free)} are free" if free > 0 else told


def _entry(scene: Scene, lookup: LookupSnapshot, chosen: SegmentSnapshot, step: Step,
           number: int, place: tuple[float, float], scale: _Scale) -> None:
    entry, key, (x, wide) = lookup.entries[number], f"entry/{number}", place
    is_floor = step.is_settled and number == lookup.floor
    if number == step.entry:
        scene.rect("entry/now", x - 4, INDEX_Y - 18, wide + 8, ENTRY_H + 22, "highlight", r=6, z=0)
    look, ink = (f"field {ENTRY} lit", f"on {ENTRY}") if is_floor else (f"field {ENTRY}", "")
    scene.rect(key, x, INDEX_Y, wide, ENTRY_H, look, r=4, inspect={
        "title": f"Entry {number} of the index", "where": _file(lookup, chosen, ".index"),
        "fields": [["relative offset", entry.offset - chosen.base_offset],
                   ["offset", entry.offset], ["position", entry.position]],
        "say": "The batch that ends at this offset begins at this byte of the .log."})
    scene.text(f"{key}/number", x + wide / 2, INDEX_Y - 6, f"entry {number}" if wide > 60
               else number, "s12 faint mid")
    scene.text(f"{key}/offset", x + wide / 2, INDEX_Y + 17, entry.offset, f"s14 w7 mid {ink}")
    scene.text(f"{key}/position", x + wide / 2, INDEX_Y + 33, f"byte {entry.position}",
               f"s12 mid {ink}")
    if scale.shows(entry.position):
        scene.line(f"{key}/points", x + wide / 2, INDEX_Y + ENTRY_H, scale.x(entry.position),
                   LOG_Y - 10, f"toneline {ENTRY}" if is_floor else "rule", z=1)


def _entries(lookup: LookupSnapshot) -> list[int]:
    """Numbers of the entries to draw: compared ones, the floor, and others while there is room."""
    room = _room(lookup)
    wanted = dict.fromkeys((*_few(lookup.compared, room - 1),
                            *([lookup.floor] if lookup.floor >= 0 else ())))
    near = sorted(range(max(0, lookup.floor - room), min(len(lookup.entries), lookup.floor + room)),
                  key=lambda n: (abs(n - lookup.floor), n))
    for number in near[:room]:
        if len(wanted) < room:
            wanted.setdefault(number)
    return sorted(wanted)


def _log(scene: Scene, lookup: LookupSnapshot, chosen: SegmentSnapshot, step: Step,
         batches: list[Any], scale: _Scale) -> None:
    for batch in batches:
        x, key = scale.x(batch.position), f"batch/{batch.position}"
        wide = scale.x(batch.position + batch.size) - x - 1.5
        is_found = step.is_found and batch == lookup.found
        look, ink = (f"field {BATCH} lit", f"on {BATCH}") if is_found else (f"field {BATCH}", "")
        scene.rect(key, x, LOG_Y, max(1, wide), LOG_H, look, r=3, z=2,
                   inspect=_batch_details(lookup, chosen, batch))
        span = str(batch.base_offset) if batch.base_offset == batch.last_offset else \
            f"{batch.base_offset}–{batch.last_offset}"
        if width_of(span, 13, True) <= wide - 4:
            scene.text(f"{key}/offsets", x + wide / 2, LOG_Y + 27, span, f"s13 w6 mid {ink}")
    if 0 <= step.scan < len(lookup.scanned):
        _reading(scene, lookup.scanned[step.scan], scale)
    y = LOG_Y + LOG_H + 38
    scene.text("log/name", LEFT, y, ".log", "s13 w7")
    scene.text("log/size", LEFT + 34, y, f"{_bytes(chosen.size_bytes)}; offsets "
               f"{chosen.base_offset} to {chosen.next_offset - 1}"
               if chosen.size_bytes else "empty", "s12 soft")
    if scale.end - scale.start < chosen.size_bytes:
        scene.text("log/window", LEFT + WIDE, y, f"bytes {scale.start} to {scale.end - 1} are "
                   f"shown", "s12 faint right")


def _reading(scene: Scene, batch: Any, scale: _Scale) -> None:
    """The hand that reads a header: it stands where the batch begins."""
    x, y = scale.x(batch.position), LOG_Y + LOG_H + 4
    told = f"reads byte {batch.position}: ends at {batch.last_offset}"
    scene.path("reading", "M0 0 6 10H-6z", x + 3, y, "solid", z=6)
    is_right = x + 14 + width_of(told, 12, True) > LEFT + WIDE
    scene.text("reading/says", x - 8 if is_right else x + 14, y + 11, told,
               "s12 w6 right" if is_right else "s12 w6", z=7)


# -- what a click tells ----------------------------------------------------------------------------
def _segment_details(lookup: LookupSnapshot, segment: SegmentSnapshot) -> dict:
    return {"title": f"Segment {segment.base_offset}", "where": _file(lookup, segment, ".log"),
            "fields": [["base offset", segment.base_offset],
                       ["next offset", segment.next_offset],
                       ["size", _bytes(segment.size_bytes)],
                       ["index entries", segment.entries],
                       ["index file", _bytes(segment.index_file_bytes)]],
            "say": "It takes the appends." if segment.is_active else "It is closed: nothing is "
                   "appended to it any more."}


def _batch_details(lookup: LookupSnapshot, chosen: SegmentSnapshot, batch: Any) -> dict:
    return {"title": f"Record batch, offset {batch.base_offset}",
            "where": _file(lookup, chosen, ".log"),
            "fields": [["base offset", batch.base_offset], ["last offset", batch.last_offset],
                       ["position", batch.position], ["size", _bytes(batch.size)],
                       ["leader epoch", batch.leader_epoch], ["crc", f"{batch.crc:#010x}", "mono"]]}


def _file(lookup: LookupSnapshot, segment: SegmentSnapshot, kind: str) -> str:
    return f"{lookup.partition}/{segment.base_offset:020d}{kind}"


def _bytes(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"


def _short(size: int) -> str:
    return _bytes(size) if size < 10_000_000 else f"{size >> 20:,} MiB"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
