"""How bytes are damaged: by dice, and so that readers get as far as they can before they notice."""

from collections.abc import Callable
from struct import pack_into

from kafka_internals.byte_utils import crc32c
from kafka_internals.record_batch import (
    CRC_COVERS_FROM,
    LAYOUT,
    LOG_OVERHEAD,
    RECORD_BATCH_OVERHEAD,
    SPANS,
    batches,
    valid_length,
)

Draw = Callable[[int], int]
EXTREMES = (0, 1, -1, 2, 7, 127, 0x7FFF, -0x8000, 0x7FFFFFFF, -0x80000000, 0x7FFFFFFF00,
            0x7FFFFFFFFFFFFFFF, -0x8000000000000000)
ENTRY_BYTES = {".index": 8, ".timeindex": 12, ".txnindex": 34, ".snapshot": 42}
SNAPSHOT_HEAD = 10
NUMBERS = (b"-1", b"0", b"1", b"7", b"2147483647", b"2147483648", b"9223372036854775807",
           b"9223372036854775808", b"-9223372036854775809", b"1_0", b"1e999", b"\xd9\xa3", b"",
           b" ", b"9" * 5_000, b"[" * 20_000, b"null", b"Infinity", b"\xff", b"\x85",
           b"\xe2\x80\xa8")
SUFFIXES = (".swap", ".cleaned", ".deleted", ".tmp", "")


# -- any bytes -------------------------------------------------------------------------------------
def _flip(draw: Draw, data: bytearray) -> None:
    for _ in range(1 + draw(3)):
        data[draw(len(data))] ^= 1 << draw(8) if draw(2) else 1 + draw(255)


def _cut(draw: Draw, data: bytearray) -> None:
    at = draw(len(data))
    del data[at:at + (1 + draw(40) if draw(2) else len(data))]


def _insert(draw: Draw, data: bytearray) -> None:
    at, size = draw(len(data) + 1), 1 + draw(40)
    piece = data[draw(len(data)):][:size] if draw(2) else bytes(draw(256) for _ in range(size))
    data[at:at] = piece


def _put_extreme(draw: Draw, data: bytearray, at: int, size: int) -> None:
    number = EXTREMES[draw(len(EXTREMES))] & (1 << 8 * size) - 1
    data[at:at + size] = number.to_bytes(size, "big")


def _extreme(draw: Draw, data: bytearray) -> None:
    size = (1, 2, 4, 8)[draw(4)]
    _put_extreme(draw, data, draw(max(1, len(data) - size)), size)


def _any(draw: Draw, data: bytearray) -> None:
    if data:
        (_flip, _cut, _insert, _extreme)[draw(4)](draw, data)


# -- batches ---------------------------------------------------------------------------------------
def _field(draw: Draw, data: bytearray) -> None:
    """A field of the header gets an extreme value, or one beside its own."""
    start, end = SPANS[LAYOUT[draw(len(LAYOUT))].name]
    if draw(3):
        _put_extreme(draw, data, start, end - start)
    else:
        data[end - 1] ^= 1 << draw(8)


def _record(draw: Draw, data: bytearray) -> None:
    """Something behind the header: a length as a varint, more often than not."""
    at = RECORD_BATCH_OVERHEAD + draw(max(1, len(data) - RECORD_BATCH_OVERHEAD))
    data[at:at + 1] = (b"\xff\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\x0f", b"\x01", b"\x7f",
                       b"\x80", bytes(10), b"\xff" * 11)[draw(7)]


def batch(draw: Draw, sound: bytes) -> bytes:
    """A batch with one to three flaws; its length and checksum are right again, mostly."""
    data = bytearray(sound)
    for _ in range(1 + draw(3)):
        if len(data) >= RECORD_BATCH_OVERHEAD:
            (_field, _record, _any)[draw(3)](draw, data)
    if len(data) >= RECORD_BATCH_OVERHEAD:
        if draw(4):
            pack_into(">i", data, SPANS["batch_length"][0], len(data) - LOG_OVERHEAD)
            data[SPANS["magic"][0]] = 2
        if draw(4):
            made_right(data)
    return bytes(data)


def made_right(data: bytearray) -> None:
    """Give a batch the checksum that its bytes ask for."""
    pack_into(">I", data, SPANS["crc"][0], crc32c(bytes(data[CRC_COVERS_FROM:])))


def _parts(content: bytes) -> list[bytes]:
    return [one.buffer for one in batches(content[:valid_length(content)])]


def log(draw: Draw, content: bytes) -> bytes:
    """A file of batches: one of them damaged, two swapped, one twice, or bytes anywhere."""
    parts, act = _parts(content) or [content], draw(8)
    at, other = draw(len(parts)), draw(len(parts))
    if act == 0:
        parts[at], parts[other] = parts[other], parts[at]
    elif act == 1:
        parts.insert(at, parts[other])
    elif act == 2:
        data = bytearray(content)
        _any(draw, data)
        return bytes(data)
    else:
        parts[at] = batch(draw, parts[at])
    return b"".join(parts)


# -- entries ---------------------------------------------------------------------------------------
def _swap(draw: Draw, data: bytearray, head: int, size: int) -> None:
    count = (len(data) - head) // size
    if count:
        at, other = head + size * draw(count), head + size * draw(count)
        data[at:at + size], data[other:other + size] = data[other:other + size], data[at:at + size]


def entries(draw: Draw, kind: str, content: bytes) -> bytes:
    """A file of equal entries: two swapped, fields at extremes, bytes anywhere."""
    data, size = bytearray(content), ENTRY_BYTES[kind]
    head = SNAPSHOT_HEAD if kind == ".snapshot" else 0
    for _ in range(1 + draw(3)):
        if draw(3):
            _any(draw, data)
        else:
            _swap(draw, data, head, size)
    if kind == ".snapshot" and len(data) >= SNAPSHOT_HEAD and draw(4):
        if draw(2):
            data[:2] = b"\0\1"
            pack_into(">i", data, 6, (len(data) - head) // size)
            del data[head + size * ((len(data) - head) // size):]
        pack_into(">I", data, 2, crc32c(bytes(data[6:])))
    return bytes(data)


# -- text and names --------------------------------------------------------------------------------
def text(draw: Draw, content: bytes) -> bytes:
    """A small file of lines and words: a word is another, lines swap, or bytes change."""
    data = bytearray(content)
    if draw(3) == 0:
        _any(draw, data)
        return bytes(data)
    lines = content.split(b"\n")
    at, other = draw(len(lines)), draw(len(lines))
    if draw(3) == 0:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        words = lines[at].split(b" ")
        words[draw(len(words))] = NUMBERS[draw(len(NUMBERS))]
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


def names(draw: Draw, files: dict[str, bytes]) -> dict[str, bytes]:
    """A directory in which files carry suffixes, are gone, or hold what another one did."""
    found = dict(files)
    for _ in range(1 + draw(4)):
        name = sorted(found)[draw(len(found))] if found else "x"
        act = draw(4)
        if act == 0:
            found.pop(name, None)
        elif act == 1 and name in found:
            found[name + SUFFIXES[draw(len(SUFFIXES))]] = found[name]
        elif act == 2 and name in found:
            other = sorted(found)[draw(len(found))]
            found[name], found[other] = found[other], found[name]
        elif name in found:
            odd = (f"{draw(90):020d}{name[20:]}", f"x{name}", f"-{name}", f"{2**63}{name[20:]}")
            found[odd[draw(4)] + SUFFIXES[draw(len(SUFFIXES))]] = found[name]
    return found


def damaged(draw: Draw, kind: str, content):
    """`content` with something wrong; `kind` tells what it is."""
    if kind == "batch":
        parts = _parts(content) or [content]
        return batch(draw, parts[draw(len(parts))])
    if kind in ENTRY_BYTES:
        return entries(draw, kind, content)
    return {".log": log, "names": names}.get(kind, text)(draw, content)


