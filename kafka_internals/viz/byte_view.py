"""The bytes of a file as rows of 16, each field in the tone of what it says, with its name.

What is shown is a `DumpSnapshot`: Kafka's DumpLogSegments, laid over the bytes themselves. Below
the rows stands the list of the fields; a click tells of one what it is for, its bits and varints. A
long file shows a window. `changed_byte_view` shows one byte before and after it became another, and
what the checksum, a reader and recovery say of that.
"""

from collections.abc import Iterable
from typing import NamedTuple

from kafka_internals.storage.dump_fields import FieldSnapshot
from kafka_internals.storage.dump_log_segments import DumpSnapshot
from kafka_internals.storage.dump_verdict import ChangedSnapshot
from kafka_internals.viz.byte_fields import TONES, cut, details, field_list, tone_of
from kafka_internals.viz.film import still, stills
from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.svg import wrap

WIDTH, ROW_BYTES, ROWS, CELL, ROW = 720, 16, 8, 28, 27
LEFT, TEXT_X, TOP = 58, 524, 48
TEXT_CELL = 11.25                           # of the text column: a letter of any font fits
LIST_ROWS = 14
WHAT = {".log": "batches of records", ".index": "offsets and where their batches begin",
        ".timeindex": "timestamps and the offsets that had them",
        ".txnindex": "aborted transactions", ".snapshot": "what is known of each producer",
        "checkpoint": "lines of text"}


class Window(NamedTuple):
    """Which bytes a picture shows, `start` to before `end`, and which field it explains."""

    start: int
    end: int
    picked: FieldSnapshot | None
    touched: int = -1                       # a byte that has changed
    new: frozenset[int] = frozenset()       # where fields begin that somebody has just written

    @property
    def rows(self) -> int:
        """How many rows of 16 that is."""
        return -(-(self.end - self.start) // ROW_BYTES)

    def lights(self, field: FieldSnapshot) -> bool:
        """True for a field that the picture points at."""
        return field == self.picked or field.start in self.new


def byte_view(shown: DumpSnapshot, pick: str | int | None = None, *, start: int | None = None,
              rows: int = ROWS, title: str = "") -> Player:
    """A file byte by byte. `pick`: the field to explain, by its name or by one of its bytes.

    `start`: the byte at which the window begins (rounded down to a row; else the window shows the
    picked field), `rows`: its height, 1 to 16. Errors: ValueError for a byte outside, a field that
    is not there, or a number of rows that does not fit.
    """
    scene = _scene(shown, window(shown, pick, start, rows))
    return Player(still(scene, title or shown.name))


def batch_scene(shown: DumpSnapshot, new: Iterable[str] = ()) -> Scene:
    """A batch byte by byte; `new`: names of the fields that somebody has just written into it."""
    lit = frozenset(one.start for one in shown.fields if one.name in new)
    return _scene(shown, window(shown, None, 0)._replace(new=lit))


def changed_byte_view(one: ChangedSnapshot, *, rows: int = 6, title: str = "") -> Player:
    """One byte before and after it changed: the field, the checksum and what each of them says."""
    return Player(changed_byte_film(one, rows=rows, title=title))


def changed_byte_film(one: ChangedSnapshot, *, rows: int = 6, title: str = "") -> dict:
    """The film of `changed_byte_view`; of one frame where the byte has the value that it had."""
    both = ((one.before, one.verdicts_before, -1), (one.after, one.verdicts, one.position))
    scenes = []
    for shown, verdicts, touched in both[:1] if one.old == one.new else both:
        place = window(shown, one.position, None, rows)._replace(touched=touched)
        broken = any(one.who == "checksum" and one.is_bad for one in verdicts)
        scene = _scene(shown, place, broken, list_rows=9)
        _verdicts(scene, verdicts)
        scenes.append(scene)
    scenes[-1].caption(_verdict_caption(one))
    scenes[0].caption(f"Byte {one.position} belongs to {one.field.name} and is "
                      f"{one.old:#04x}, as it was written.")
    for scene in scenes:
        scene.size = WIDTH, max(each.size[1] for each in scenes)
    return stills(scenes, title or f"One byte of {one.before.name}", (
        ("byte", "as it was written"),
        ("fault", f"byte {one.position}: {one.old:#04x} becomes {one.new:#04x}"))[:len(scenes)])


def _verdict_caption(one: ChangedSnapshot) -> str:
    found = [verdict.who for verdict in one.verdicts if verdict.is_bad]
    noticed = (f"the {found[0]} notices" if len(found) == 1 else
               f"the {', the '.join(found[:-1])} and the {found[-1]} notice").replace(
                   "the recovery", "recovery") if found else "nobody notices"
    return (f"Byte {one.position}, in {one.field.name}, becomes {one.new:#04x} in place of "
            f"{one.old:#04x}: {noticed}.")


def window(shown: DumpSnapshot, pick: str | int | None, start: int | None,
           rows: int = ROWS) -> Window:
    """The bytes to show; errors as in `byte_view`."""
    if not 1 <= rows <= 16:
        raise ValueError(f"a picture has 1 to 16 rows of {ROW_BYTES} bytes, not {rows}")
    size, picked = len(shown.content), _picked(shown, pick)
    if start is not None and not 0 <= start <= size:
        raise ValueError(f"{shown.name} has {size} bytes; no window begins at byte {start}")
    if start is None:
        start = 0
        if picked and picked.end > rows * ROW_BYTES:
            at = pick if isinstance(pick, int) else picked.start
            start = min(max(0, at - rows // 2 * ROW_BYTES),
                        max(0, size - (rows - 1) * ROW_BYTES))
    start -= start % ROW_BYTES
    return Window(start, min(size, start + rows * ROW_BYTES), picked)


def _picked(shown: DumpSnapshot, pick: str | int | None) -> FieldSnapshot | None:
    if pick is None:
        return None
    if isinstance(pick, int):
        return shown.field_at(pick)
    found = next((one for one in shown.fields
                  if pick in (one.name, f"{one.group} {one.name}")), None)
    if found is None:
        names = ", ".join(dict.fromkeys(one.name for one in shown.fields))
        raise ValueError(f"{shown.name} has no field {pick!r}; there is {names or 'none'}")
    return found


# -- the picture -----------------------------------------------------------------------------------
def _scene(shown: DumpSnapshot, place: Window, is_broken: bool = False,
           list_rows: int = LIST_ROWS) -> Scene:
    tops = TOP + place.rows * ROW
    scene = Scene("what the bytes say", size=(WIDTH, tops + 12), words=TONES)
    _rulers(scene, shown, place)
    visible = [one for one in shown.fields if one.end > place.start and one.start < place.end]
    for field in visible:
        _field(scene, shown, field, place, is_broken)
    lit = {at: one for one in visible if place.lights(one) for at in range(one.start, one.end)}
    for row in range(place.rows):
        _row(scene, shown, place, row, lit)
    y = field_list(scene, visible, place.lights, tops + 20, list_rows)
    scene.size = WIDTH, int(y)
    scene.caption(_say(shown, place))
    return scene


def _rulers(scene: Scene, shown: DumpSnapshot, place: Window) -> None:
    for at in range(ROW_BYTES):
        scene.text(f"column/{at}", LEFT + CELL * at + CELL / 2, TOP - 12, f"+{at}",
                   "s12 faint mid")
    scene.text("column/text", TEXT_X, TOP - 12, "as text", "s12 faint")
    size = len(shown.content)
    if place.end - place.start < size:
        scene.text("window", WIDTH - 14, 16, f"bytes {place.start} to {place.end - 1} of {size}",
                   "s12 faint right")


def _field(scene: Scene, shown: DumpSnapshot, field: FieldSnapshot, place: Window,
           broken: bool) -> None:
    """One rounded strip a row under the bytes of a field."""
    tone, about = tone_of(field), details(shown, field)
    look = f"field {tone}".strip()
    if not field.is_readable or broken and field.name == "crc":
        look = "dangerwash"
    if place.lights(field) and look != "dangerwash":
        look += " lit"
    start, end = max(field.start, place.start), min(field.end, place.end)
    while start < end:
        row, column = divmod(start - place.start, ROW_BYTES)
        upto = min(end, start - column + ROW_BYTES)
        scene.rect(f"field/{field.start}/{row}", LEFT + column * CELL + 1, TOP + row * ROW,
                   (upto - start) * CELL - 2, ROW - 4, look, r=4, z=1, inspect=about,
                   name=f"{field.name}, byte {field.start}")
        start = upto


def _row(scene: Scene, shown: DumpSnapshot, place: Window, row: int,
         lit: dict[int, FieldSnapshot]) -> None:
    start, y = place.start + row * ROW_BYTES, TOP + row * ROW + 16.5
    scene.text(f"row/{row}", LEFT - 8, y, start, "s12 faint right")
    for at in range(start, min(start + ROW_BYTES, place.end)):
        x, byte = LEFT + (at - start) * CELL + CELL / 2, shown.content[at]
        look = "s13 mid mono"
        if at in lit:
            look += f" w7 {_on(lit[at])}"
        if at == place.touched:
            scene.rect("touched", x - CELL / 2 + 1, y - 16.5, CELL - 2, ROW - 4, "dangerwash", r=4,
                       z=2)
            look = "s13 mid mono w7 bad"
        scene.text(f"byte/{at}", x, y, f"{byte:02x}", look)
        if 32 < byte < 127:
            scene.text(f"text/{at}", TEXT_X + (at - start) * TEXT_CELL + TEXT_CELL / 2, y,
                       chr(byte), "s13 mid mono" + (" w7 bad" if at == place.touched else ""))


def _on(field: FieldSnapshot) -> str:
    tone = tone_of(field)
    return f"on {tone}" if tone else "rev"


def _verdicts(scene: Scene, verdicts: Iterable) -> None:
    """What checksum, reader and recovery say, one band each, below everything else."""
    y = scene.size[1] + 6
    for one in verdicts:
        lines = wrap(one.says, WIDTH - 160, 13)
        tall = 12 + 17 * len(lines)
        scene.rect(f"verdict/{one.who}", 10, y, WIDTH - 20, tall,
                   "verdict bad" if one.is_bad else "verdict", r=6, z=1)
        scene.text(f"verdict/{one.who}/name", 22, y + 19, one.who,
                   "s13 w7 bad" if one.is_bad else "s13 w7")
        for number, line in enumerate(lines):
            scene.text(f"verdict/{one.who}/{number}", 104, y + 19 + number * 17, line, "s13")
        y += tall + 6
    scene.size = WIDTH, int(y + 4)


def _say(shown: DumpSnapshot, place: Window) -> str:
    size = len(shown.content)
    if not size:
        return f"{_capital(shown.name)} is empty."
    if field := place.picked:
        where = f"Byte {field.start}" if field.end - field.start == 1 else \
            f"Bytes {field.start} to {field.end - 1}"
        verb = "is" if field.end - field.start == 1 else "are"
        return (f"{where} {verb} {field.name}, {cut(field.value, 60)}: "
                f"{cut(field.meaning, 120).rstrip('.')}.")
    part = "" if place.end - place.start == size else \
        f", of which bytes {place.start} to {place.end - 1} are shown"
    error = f" A reader meets a {shown.error.partition(':')[0]}." if shown.error else ""
    if not shown.fields[-1].is_readable:
        error += f" From byte {shown.fields[-1].start} on it cannot be read."
    count = f"{size} byte{'' if size == 1 else 's'}"
    return f"{_capital(shown.name)} has {count}: {WHAT[shown.kind]}{part}.{error}"


def _capital(text: str) -> str:
    """A sentence begins with it; the name of a file stays as it is."""
    return text[0].upper() + text[1:] if " " in text else text
