"""CostModel: what a task takes on a thread, in microseconds. The one table behind every duration.

The figures are round and of the size that a broker on a server with an SSD shows for small
requests; they are chosen so that pictures are readable, not to predict a machine. Network latency
belongs to the link, page cache and flush to the disk; a timer costs nothing.
"""

from typing import NamedTuple

from kafka_internals.sim.disk import DiskCost


class CodecCost(NamedTuple):
    """A codec as a measurement reckons with it, the same on every machine: of 100 bytes `percent`
    are left; packing is the application's thread, unpacking the broker's handler."""

    name: str
    percent: int
    pack_us_per_kib: int
    unpack_us_per_kib: int


# lzbench over the Silesia corpus, rounded: gzip -6 leaves 32 % at 35 MB/s, snappy and lz4 48 % at
# 500 MB/s and more, zstd -3 about 32 % at about 270 MB/s.
CODECS = (CodecCost("gzip", 32, 30, 3), CodecCost("snappy", 48, 2, 1), CodecCost("lz4", 48, 2, 1),
          CodecCost("zstd", 32, 4, 1))


class CostModel(NamedTuple):
    """Microseconds a task takes; a name ending in `per_kib` counts each full KiB of records.

    `REASONS` says what each is for. What costs nothing is in no table. The engine compresses with
    real codecs, at no cost; `codecs` are for measurements that reckon with a table (course.tuning).
    """

    network_receive_us: int = 15
    network_send_us: int = 10
    handle_us: int = 40
    validate_us_per_kib: int = 20
    fetcher_us: int = 30
    disk: DiskCost = DiskCost()
    tls_us_per_kib: int = 2
    tls_handshake_us: int = 1000
    link_us_per_kib: int = 0
    codecs: tuple[CodecCost, ...] = ()

    def rows(self) -> tuple["CostRow", ...]:
        """The whole table: each task, what it takes, and why so much."""
        values = self._asdict() | self.disk._asdict()
        return tuple(CostRow(what, values[name], unit, reason)
                     for name, (what, unit, reason) in REASONS.items() if values[name]) + tuple(
            CostRow(one.name, one.percent, "%",
                    f"of a batch is left; {one.pack_us_per_kib} us/KiB to pack it, "
                    f"{one.unpack_us_per_kib} to unpack it: public benchmarks, rounded")
            for one in self.codecs)

    def described(self) -> str:
        """One line to show beside a figure that depends on these times."""
        return "cost model: " + ", ".join(f"{one.what} {one.value} {one.unit}"
                                          for one in self.rows() if one.what in TOLD)


class CostRow(NamedTuple):
    """One task: what it is called, its cost in its unit, and the reason."""

    what: str
    value: int
    unit: str
    reason: str


REASONS = {
    "network_receive_us": ("receive", "us", "read one request off a socket and parse it"),
    "link_us_per_kib": ("link", "us/KiB", "produced records on the wire; 82 is a link of 100 "
                                          "Mbit/s"),
    "handle_us": ("handle", "us", "one request in a handler thread, without its records"),
    "validate_us_per_kib": ("validate", "us/KiB", "the checksum and a look at each "
                                                  "produced record: about 50 MB/s"),
    "network_send_us": ("send", "us", "hand one answer to a socket; records go by sendfile, "
                                      "without a copy"),
    "fetcher_us": ("fetcher", "us", "a follower takes one answer and appends what it brought"),
    "write_us": ("append", "us", "one write into the page cache"),
    "write_us_per_kib": ("copy", "us/KiB", "what such a write copies, about 1 GB/s"),
    "flush_us": ("flush", "us", "an fsync of an SSD without a battery"),
    "read_us": ("read", "us", "one read of an SSD, up to the 128 KiB that the system reads ahead"),
    "tls_us_per_kib": ("TLS", "us/KiB", "copy into the process and encrypt, or decrypt: 500 MB/s"),
    "tls_handshake_us": ("handshake", "us", "sign and agree on keys, once a connection")}
TOLD = ("receive", "link", "handle", "validate", "send", "append", "flush", "read", "TLS")
