"""ByteUtils, Crc32C and Utils.murmur2: the arithmetic that every other byte format rests on.

A varint holds 7 bits a byte, the lowest first; the top bit says that another byte follows. Signed
numbers are zig-zagged first (0, -1, 1, -2 become 0, 1, 2, 3), so that a small number of either sign
stays small. An int takes 5 bytes at most and a long 10; anything longer is refused. The checksum is
CRC-32C (Castagnoli), not zlib's CRC-32.
"""

from google_crc32c import value as crc32c

__all__ = ["SHORT_VARINTS", "crc32c", "murmur2", "read_unsigned_varint", "read_varint",
           "read_varlong", "size_of_unsigned_varint", "size_of_varint", "unsigned_varint", "varint"]

VARINT_BYTES, VARLONG_BYTES = 5, 10

# Zig-zag varints of 0..8191, all that one or two bytes can hold: nearly every varint of a record.
SHORT_UNSIGNED = [bytes((n,)) for n in range(128)]
SHORT_VARINTS = [bytes((n << 1,)) for n in range(64)] + \
    [bytes((n << 1 & 0x7F | 0x80, n >> 6)) for n in range(64, 8192)]


def unsigned_varint(number: int) -> bytes:
    """The bytes of a number from 0 on, as the flexible messages (KIP-482) write lengths."""
    if 0 <= number < 0x80:
        return SHORT_UNSIGNED[number]
    if number < 0:
        raise ValueError(f"{number} has no unsigned varint: numbers begin at 0")
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def varint(number: int) -> bytes:
    """The zig-zag bytes of a signed number of up to 64 bits: varint and varlong write the same."""
    if not -1 << 63 <= number < 1 << 63:
        raise ValueError(f"{number} does not fit into 64 bits")
    return unsigned_varint(number << 1 ^ number >> 63)


def size_of_unsigned_varint(number: int) -> int:
    """How many bytes `unsigned_varint(number)` has."""
    return (number.bit_length() + 6) // 7 or 1


def size_of_varint(number: int) -> int:
    """How many bytes `varint(number)` has."""
    if 0 <= number < 8192:
        return 1 if number < 64 else 2
    return ((number << 1 ^ number >> 63).bit_length() + 6) // 7 or 1


def read_unsigned_varint(buffer: bytes, position: int,
                         max_bytes: int = VARINT_BYTES) -> tuple[int, int]:
    """(number, position after it). ValueError past `max_bytes`, IndexError past the buffer."""
    number = shift = 0
    for at in range(position, position + max_bytes):
        byte = buffer[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
    raise ValueError(f"the varint at byte {position} is longer than {max_bytes} bytes")


def read_varint(buffer: bytes, position: int, max_bytes: int = VARINT_BYTES) -> tuple[int, int]:
    """(signed 32-bit number, position after it); errors as in `read_unsigned_varint`."""
    if (low := buffer[position]) < 0x80:               # one byte or two: nearly all of them
        return low >> 1 ^ -(low & 1), position + 1
    if (high := buffer[position + 1]) < 0x80:
        low = low & 0x7F | high << 7
        return low >> 1 ^ -(low & 1), position + 2
    number, position = read_unsigned_varint(buffer, position, max_bytes)
    number &= 0xFFFFFFFF if max_bytes == VARINT_BYTES else 0xFFFFFFFFFFFFFFFF
    return number >> 1 ^ -(number & 1), position


def read_varlong(buffer: bytes, position: int) -> tuple[int, int]:
    """(signed 64-bit number, position after it); errors as in `read_unsigned_varint`."""
    return read_varint(buffer, position, VARLONG_BYTES)


def murmur2(data: bytes) -> int:
    """The 32-bit hash behind the choice of a keyed record's partition; signed, as in Java.

    `partition = (murmur2(key) & 0x7fffffff) % partitions`: masked, not abs().
    """
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    hashed = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at:at + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        hashed = hashed * multiplier & mask ^ word
    if tail := data[whole:]:
        hashed = (hashed ^ int.from_bytes(tail, "little")) * multiplier & mask
    hashed = (hashed ^ hashed >> 13) * multiplier & mask
    hashed ^= hashed >> 15
    return hashed - (hashed >> 31 << 32)
