"""The fields of a dump as a picture names them: their tones, their details, and the list of them.

Colour answers what the bytes say. The list stands below the bytes: each field by its first byte,
name and value; where there are too many, whole records become one line each.
"""

from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from kafka_internals.storage.dump_fields import FieldSnapshot
from kafka_internals.storage.dump_log_segments import DumpSnapshot
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.svg import plain
from kafka_internals.viz.theme import SLACK, width_of

COLUMNS, COLUMN, LINE, LEAST_ROWS = 3, 231, 19, 5
GROWN = 1.12 / SLACK                        # a narrow player's type, without the font's slack
TONES = {"key-1": "data", "key-2": "leader", "key-3": "producer", "key-4": "offsets",
         "key-5": "checksum", "key-6": "time"}
TONE_OF = {
    "base_offset": "key-2", "partition_leader_epoch": "key-2", "crc": "key-5",
    **dict.fromkeys(("producer_id", "producer_epoch", "base_sequence", "last_sequence"), "key-3"),
    **dict.fromkeys(("base_timestamp", "max_timestamp", "timestamp_delta", "timestamp"), "key-6"),
    **dict.fromkeys(("last_offset_delta", "offset_delta", "relative_offset", "position",
                     "first_offset", "last_offset", "last_stable_offset",
                     "current_txn_first_offset"), "key-4"),
    **dict.fromkeys(("key", "value", "records"), "key-1")}


class Line(NamedTuple):
    """One row of the list: a field by its first byte, or with no tone a heading."""

    key: int | str
    name: str
    value: str
    tone: str | None
    is_lit: bool


def tone_of(field: FieldSnapshot) -> str:
    """What a field's bytes say, as a tone; none for lengths, counts and versions."""
    last = field.name.rpartition(" ")[2]
    if field.group == "checkpoint":
        return "key-4" if field.name.startswith("entry") else ""
    if field.name.startswith(("key ", "value ")) and last != "length":
        return "key-1"
    return TONE_OF.get(field.name) or ("key-1" if last in ("name", "value") else "")


def details(shown: DumpSnapshot, field: FieldSnapshot) -> dict:
    """What the inspector tells of a field."""
    size, data = field.end - field.start, shown.content[field.start:field.end]
    where = f"byte {field.start}" if size == 1 else f"bytes {field.start} to {field.end - 1}"
    hexed = data[:64].hex(" ") + (f" and {size - 64} more" if size > 64 else "")
    about = {"title": field.name, "where": f"{field.group} · {where}", "hex": hexed,
             "fields": [["value", cut(field.value, 200)],
                        ["size", f"{size} byte{'' if size == 1 else 's'}"],
                        *([name, cut(text, 200), "mono" if name == "bits" else ""]
                          for name, text in field.parts)]}
    say = field.meaning[0].upper() + field.meaning[1:]
    return about | {"say": say if say.endswith(".") else f"{say}."}


def cut(text: str, letters: int) -> str:
    """At most so many letters of a text, the last an ellipsis where more follow."""
    return text if len(text) <= letters else f"{text[:letters - 1]}…"


# -- the list ----------------------------------------------------------------------------------
def field_list(scene: Scene, visible: list[FieldSnapshot], lights: Callable, top: float,
               tallest: int) -> float:
    """The fields by name, in columns; groups as one line where they are too many."""
    rows = _lines(visible, lights, COLUMNS * tallest)
    tall = max(-(-len(rows) // COLUMNS), min(len(rows), LEAST_ROWS))
    chip = 5 + GROWN * max((width_of(str(row.key), 12) for row in rows if row.tone is not None),
                           default=0)
    for number, line in enumerate(rows):
        column, row = divmod(number, tall)
        x, y, key = 14 + column * COLUMN, top + row * LINE, f"list/{number}"
        if line.tone is None:
            scene.text(key, x, y, fitting(line.name, COLUMN - 20), "s12 w7")
            continue
        if line.is_lit:
            scene.rect(f"{key}/lit", x - 4, y - 14, COLUMN - 2, LINE + 1, "highlight", r=4, z=0)
        scene.rect(f"{key}/tone", x, y - 11.5, chip, 15, f"field {line.tone}".strip(), r=3, z=2)
        scene.text(f"{key}/at", x + chip / 2, y, line.key, "s12 mid")
        scene.text(f"{key}/name", x + chip + 4, y, line.name, "s12 soft")
        room = COLUMN - 15 - chip - GROWN * width_of(line.name, 12)
        scene.text(key, x + COLUMN - 9, y, fitting(line.value, room), "s12 right")
    return top + tall * LINE + 4


def _lines(visible: list[FieldSnapshot], lights: Callable, room: int) -> list[Line]:
    groups = [list(fields) for _, fields in groupby(visible, key=lambda one: one.group)]
    told, folded = len(visible) + len(groups), set()
    for fields in sorted(groups, key=lambda one: ("record" not in one[0].group, -one[0].start)):
        if told > room and not any(map(lights, fields)):
            folded.add(fields[0].start)
            told -= len(fields)
    rows: list[Line] = []
    for fields in groups:
        first = fields[0]
        if first.start in folded:
            rows.append(Line(first.start, first.group, _summary(fields), tone_of(fields[-1]),
                             False))
        else:
            rows.append(Line("", first.group, "", None, False))
            rows += [Line(one.start, one.name, one.value, tone_of(one), lights(one))
                     for one in fields]
    if len(rows) > room:
        rows = [*rows[:room - 1], Line("", f"and {len(rows) - room + 1} more", "", None, False)]
    return rows


def _summary(fields: list[FieldSnapshot]) -> str:
    """A record by its key and value, another group by its first values."""
    told = {one.name: one.value for one in fields}
    if "key length" in told:
        return f"{told.get('key', 'null')} = {told.get('value', 'null')}"
    return ", ".join(one.value for one in fields[:3])


def fitting(text: str, room: float) -> str:
    """As much of a text as fits into `room` units: of what ends in a digit the end."""
    text, room = plain(text), room / GROWN
    if width_of(text, 12) <= room:
        return text
    keeps_end = text[-1:].isdecimal()
    while text and width_of(text + "…", 12) > room:
        text = text[1:] if keeps_end else text[:-1]
    return f"…{text}" if keeps_end else f"{text}…"
