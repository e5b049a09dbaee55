"""A bench for one byte: pick it, change it, and see what checksum, reader and recovery say."""

from typing import Any

from kafka_internals.course.panel import Panel, button, row, text
from kafka_internals.storage.dump_verdict import changed
from kafka_internals.storage.log_file_utils import LOG
from kafka_internals.viz.byte_view import changed_byte_film
from kafka_internals.viz.player import Player


class ByteBench(Panel):
    """The panel: a position in a file, a value in hex, and "as it was"."""

    def __init__(self, content: bytes, kind: str, position: int, **how: Any) -> None:
        if not content:
            raise ValueError("a file without a byte has none to change")
        self.content, self._kind, self._how = bytes(content), kind, how
        self._position, self._value = text("byte", str(position)), text("new value, hex", "")
        self._typing = True
        for box, act in ((self._position, self._restore), (self._value, self._change)):
            box.observe(self.guarded(lambda act=act: self._typing and act()), "value")
        controls = row(
            button("One back", self.guarded(lambda: self._move(-1)), "the byte before"),
            self._position, button("One on", self.guarded(lambda: self._move(1)), "the byte after"),
            self._value, button("Change", self.guarded(self._change)),
            button("As it was", self.guarded(self._restore)), word="Byte")
        one = self._checked(position)
        super().__init__(Player(changed_byte_film(changed(
            self.content, one, self.content[one], kind, **how))), [controls])
        self._restore()

    def _checked(self, position: int) -> int:
        last = len(self.content) - 1
        if not 0 <= position <= last:
            raise ValueError(f"byte {position} is not in this file: it has 0 to {last}")
        return position

    @property
    def position(self) -> int:
        """The byte that is picked. ValueError where what was written is no place in the file."""
        told = self._position.value.strip()
        try:
            number = int(told, 0)
        except ValueError:
            raise ValueError(f"{told!r} is no position: write a number like 23 or 0x17") from None
        return self._checked(number)

    @property
    def value(self) -> int:
        """The new value. ValueError where what was written is no byte in hex."""
        told = self._value.value.strip().lower().removeprefix("0x")
        if not 1 <= len(told) <= 2 or set(told) - set("0123456789abcdef"):
            raise ValueError(f"{self._value.value!r} is no byte: write 00 to ff")
        return int(told, 16)

    def show(self, value: int) -> None:
        """Play the picked byte as it is and as it would be."""
        one = changed(self.content, self.position, value, self._kind, **self._how)
        self.player.show(changed_byte_film(one))
        found = [verdict.who for verdict in one.verdicts if verdict.is_bad]
        noticed = f"noticed by {', '.join(found)}" if found else "nobody notices"
        self.says(f"Byte {one.position} is {one.old:#04x}, as it was written."
                  if value == one.old else
                  f"Byte {one.position}, in {one.field.name}: {one.old:#04x} becomes "
                  f"{value:#04x}: {noticed}.")

    def _change(self) -> None:
        self.show(self.value)

    def _restore(self) -> None:
        old = self.content[self.position]
        self._write(self._value, f"{old:02x}")
        self.show(old)

    def _move(self, way: int) -> None:
        self._write(self._position, str(self._checked(self.position + way)))
        self._restore()

    def _write(self, box: Any, told: str) -> None:
        """Write into a box as the panel does, which is no order to do anything."""
        self._typing, box.value = False, told
        self._typing = True

    def __repr__(self) -> str:
        return (f"Run this cell to change one of {len(self.content)} bytes and see what checksum, "
                f"reader and recovery say.")


def byte_bench(content: bytes, kind: str = LOG, position: int = 0, **how: Any) -> ByteBench:
    """A panel over the bytes of one file; `kind` and `how` as in `dump`. ValueError as there."""
    return ByteBench(content, kind, position, **how)
