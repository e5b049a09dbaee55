"""A value as a schema registry frames it: one magic byte, four of the schema's id, the payload.

The broker sees bytes and no more. A client that expects the frame and finds another first byte
cannot know what it reads (Confluent's wire format, as its serializers write it).
"""

from struct import pack

MAGIC, FRAME_BYTES = 0, 5


def framed(schema_id: int, payload: bytes) -> bytes:
    """`payload` behind the frame. ValueError for an id that is no 4-byte number."""
    if not 0 <= schema_id < 1 << 32:
        raise ValueError(f"a schema's id is 0 to 2^32-1, given was {schema_id}")
    return pack(">BI", MAGIC, schema_id) + payload


def unframed(value: bytes) -> tuple[int, bytes]:
    """(schema id, payload). ValueError where the frame is not whole or not one."""
    if len(value) < FRAME_BYTES:
        raise ValueError(f"a framed value has {FRAME_BYTES} bytes or more, this one {len(value)}")
    if value[0] != MAGIC:
        raise ValueError(f"unknown magic byte {value[0]}: whoever wrote this used no registry")
    return int.from_bytes(value[1:FRAME_BYTES]), value[FRAME_BYTES:]
