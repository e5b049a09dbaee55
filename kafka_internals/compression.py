"""CompressionType and Compression: how the records of a batch become one compressed blob.

Only the bytes behind the header of a batch are compressed, so brokers carry such a batch like any
other. Each codec is framed as Kafka's Java writes it, because Kafka's readers insist: snappy is cut
into blocks of 32 KiB behind xerial's header, lz4 is a frame of 64 KiB blocks that do not depend on
one another (KIP-57), zstd (KIP-110) is a frame without its size. Reading is bounded: a kilobyte may
claim to be a gigabyte.
"""

import zlib
from struct import error as StructError
from struct import pack, unpack_from

import cramjam

from kafka_internals.errors import (
    CorruptRecordException,
    RecordTooLargeException,
    UnsupportedCompressionTypeException,
)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")      # by their number in a batch's attributes

GZIP_HEADER = bytes.fromhex("1f8b08000000000000ff")     # no time, no name, unknown system
XERIAL_HEADER = b"\x82SNAPPY\0" + pack(">ii", 1, 1)     # version, and the oldest that can read it
XERIAL_VERSION_AT, XERIAL_FIRST_VERSION = 8, 1
LZ4_HEADER = bytes.fromhex("04224d18604082")            # independent blocks of 64 KiB
SNAPPY_BLOCK_BYTES, LZ4_BLOCK_BYTES = 32 << 10, 64 << 10
LZ4_STORED = 0x80000000                                 # this block did not get any smaller
LZ4_VERSION_AND_INDEPENDENCE, LZ4_INDEPENDENT = 0xE0, 0x60
LEVELS = {"gzip": 6, "lz4": 9, "zstd": 3}                # Kafka's defaults; zlib calls its own -1
LZ4_FAST_LEVEL = 9                                      # Kafka: the default means the fast way
FIRST_GUESS_BYTES, GROWTH = 64 << 10, 8
NO_ROOM = "write whole buffer"                          # cramjam tells it in words only


# -- writing ----------------------------------------------------------------------------------
def _gzip(data: bytes, level: int) -> bytes:
    """By the same library on every machine: a system's zlib may make it some bytes longer."""
    return GZIP_HEADER + bytes(cramjam.deflate.compress(data, level)) \
        + pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def _blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at:at + size] for at in range(0, len(data), size)]


def _snappy(data: bytes, _: None) -> bytes:
    blocks = [bytes(cramjam.snappy.compress_raw(block))
              for block in _blocks(data, SNAPPY_BLOCK_BYTES)]
    return XERIAL_HEADER + b"".join(pack(">i", len(block)) + block for block in blocks)


def _lz4_block(block: bytes, level: int) -> bytes:
    how = {} if level == LZ4_FAST_LEVEL else {"mode": "high_compression", "compression": level}
    smaller = bytes(cramjam.lz4.compress_block(block, store_size=False, **how))
    if len(smaller) >= len(block):
        return pack("<I", len(block) | LZ4_STORED) + block
    return pack("<I", len(smaller)) + smaller


def _lz4(data: bytes, level: int) -> bytes:
    return LZ4_HEADER + b"".join(_lz4_block(block, level)
                                 for block in _blocks(data, LZ4_BLOCK_BYTES)) + bytes(4)


def _zstd(data: bytes, level: int) -> bytes:
    stream = cramjam.zstd.Compressor(level=level)
    stream.compress(data)
    return bytes(stream.finish())


# -- reading ----------------------------------------------------------------------------------
def _too_large(limit_bytes: int) -> RecordTooLargeException:
    return RecordTooLargeException(
        f"compressed records grow beyond the {limit_bytes} bytes that are allowed here")


def _gunzip(data: bytes, limit_bytes: int) -> bytes:
    out = b""
    while data[:2] == GZIP_HEADER[:2] or not out:       # a stream may have several members
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        out += stream.decompress(data, limit_bytes - len(out) + 1)
        if len(out) > limit_bytes:
            raise _too_large(limit_bytes)
        if not stream.eof:
            raise ValueError(f"its {len(data)} bytes end within the stream")
        if not (data := stream.unused_data):
            break
    return out


def _unsnap_block(block: bytes, limit_bytes: int, so_far: int) -> bytes:
    if so_far + cramjam.snappy.decompress_raw_len(block) > limit_bytes:
        raise _too_large(limit_bytes)
    return bytes(cramjam.snappy.decompress_raw(block))


def _unsnap(data: bytes, limit_bytes: int) -> bytes:
    if data[:8] != XERIAL_HEADER[:8]:                   # some clients send one bare block
        return _unsnap_block(data, limit_bytes, 0)
    if (version := unpack_from(">i", data, XERIAL_VERSION_AT)[0]) < XERIAL_FIRST_VERSION:
        raise ValueError(f"its version is {version}, {XERIAL_FIRST_VERSION} is the first")
    position, parts, so_far = len(XERIAL_HEADER), [], 0
    while position < len(data):
        (size,), position = unpack_from(">i", data, position), position + 4
        if not 0 <= size <= len(data) - position:
            raise ValueError(f"a block has {size} bytes, but {len(data) - position} remain")
        parts.append(_unsnap_block(data[position:position + size], limit_bytes, so_far))
        so_far, position = so_far + len(parts[-1]), position + size
    return b"".join(parts)


def _into_growing_buffer(decompress_into, data: bytes, limit_bytes: int) -> bytes:
    """What is broken is refused at once; only where the library had no room it gets more."""
    size = min(limit_bytes, max(FIRST_GUESS_BYTES, GROWTH * len(data)))
    while True:
        buffer = bytearray(size)
        try:
            return bytes(memoryview(buffer)[:decompress_into(data, buffer)])
        except cramjam.DecompressionError as error:
            if NO_ROOM not in str(error):
                raise
            if size >= limit_bytes:
                raise _too_large(limit_bytes) from error
            size = min(limit_bytes, GROWTH * size)


def _unlz4(data: bytes, limit_bytes: int) -> bytes:
    if data[:4] != LZ4_HEADER[:4] or len(data) < len(LZ4_HEADER):
        raise ValueError(f"it begins with {data[:7].hex()}, an lz4 frame with "
                         f"{LZ4_HEADER[:4].hex()}")
    if data[4] & LZ4_VERSION_AND_INDEPENDENCE != LZ4_INDEPENDENT:
        raise ValueError(f"its flags are {data[4]:#04x}: the blocks of a frame have to be "
                         f"independent, {LZ4_INDEPENDENT:#04x}")
    return _into_growing_buffer(cramjam.lz4.decompress_into, data, limit_bytes)


def _unzstd(data: bytes, limit_bytes: int) -> bytes:
    return _into_growing_buffer(cramjam.zstd.decompress_into, data, limit_bytes)


WRITERS = {"none": lambda data, _: data, "gzip": _gzip, "snappy": _snappy, "lz4": _lz4,
           "zstd": _zstd}
READERS = {"gzip": _gunzip, "snappy": _unsnap, "lz4": _unlz4, "zstd": _unzstd}


def ensure_codec(name: str) -> None:
    """UnsupportedCompressionTypeException for what is not one of `CODECS`."""
    if name not in WRITERS:
        raise UnsupportedCompressionTypeException(
            f"{name!r} is no compression type; there is {', '.join(CODECS)}")


def compress(codec_name: str, data: bytes, level: int | None = None) -> bytes:
    """`data` as Kafka's Java frames it in this codec, one of `CODECS`; `level` None: the default.

    Errors: UnsupportedCompressionTypeException for another name.
    """
    ensure_codec(codec_name)
    return WRITERS[codec_name](data, LEVELS.get(codec_name) if level is None else level)


def decompress(codec_name: str, data: bytes, limit_bytes: int) -> bytes:
    """What was compressed, of `limit_bytes` at most.

    Errors: RecordTooLargeException beyond the limit, CorruptRecordException for a broken payload,
    UnsupportedCompressionTypeException for a name that is not one of `CODECS`.
    """
    ensure_codec(codec_name)
    if codec_name == "none":
        return data
    try:
        return READERS[codec_name](data, limit_bytes)
    except (cramjam.DecompressionError, zlib.error, ValueError, StructError) as error:
        raise CorruptRecordException(
            f"{len(data)} bytes of records cannot be decompressed as {codec_name}: {error}"
        ) from error
