"""What may be wrong with a disk: objects that are put into `Disk.faults` and taken out again.

Each is asked before every operation and may raise the OSError that an operating system would give;
then nothing has changed. Whoever writes a log turns that error into the one Kafka answers with.
"""

from errno import EIO, ENOSPC


class DiskFault:
    """A fault that does nothing; the others say what they do."""

    def before_read(self, name: str) -> None:
        """May raise instead of a read."""

    def before_write(self, name: str, used: int, wanted: int) -> None:
        """May raise before the disk's `used` bytes become `wanted`; flushes and renames ask too."""

    def spoiled(self, name: str, position: int, data: bytes) -> bytes:
        """What a read of `data` from `position` gives instead."""
        return data


class CorruptSector(DiskFault):
    """A byte of a file has flipped, as bits rot: reads give it, whoever wrote it, unnoticed."""

    def __init__(self, name: str, position: int, flip: int = 0xFF) -> None:
        if position < 0 or not 0 < flip < 256:
            raise ValueError(f"{name}: position {position} and flip {flip} were given; a position "
                             f"begins at 0, and a flip has 1 to 255 of a byte's bits")
        self.name, self.position, self.flip = name, position, flip

    def spoiled(self, name: str, position: int, data: bytes) -> bytes:
        """The same bytes with that one flipped, where it is among them."""
        at = self.position - position
        if name != self.name or not 0 <= at < len(data):
            return data
        return data[:at] + bytes((data[at] ^ self.flip,)) + data[at + 1:]


class FullDisk(DiskFault):
    """There is room for so many bytes, all files together. What would need more is refused."""

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f"a disk holds 0 bytes or more; given was {capacity}")
        self.capacity = capacity

    def before_write(self, name: str, used: int, wanted: int) -> None:
        """OSError (ENOSPC) for a write that would end above the capacity."""
        if wanted > max(used, self.capacity):
            raise OSError(ENOSPC, f"No space left on device: {wanted} bytes are needed, there is "
                                  f"room for {self.capacity}", name)


class FailedDisk(DiskFault):
    """Nothing can be read or written any more below a prefix of names; "" is the whole disk."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def before_read(self, name: str) -> None:
        """OSError (EIO)."""
        if name.startswith(self.prefix):
            raise OSError(EIO, "Input/output error", name)

    def before_write(self, name: str, used: int, wanted: int) -> None:
        """OSError (EIO)."""
        self.before_read(name)
