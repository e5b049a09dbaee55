"""CostModel: what a task takes on a thread, in microseconds. The one table behind every duration.

The figures are round and of the size that a broker on a server with an SSD shows for small
requests; they are chosen so that pictures are readable, not to predict a machine. Network latency
belongs to the link, page cache and flush to the disk; a timer costs nothing.
"""

from typing import NamedTuple

from kafka_internals.sim.disk import DiskCost


class CostModel(NamedTuple):
    """Microseconds a task takes; a name ending in `per_kib` counts each full KiB of records."""

    network_receive_us: int = 15     # read one request off a socket and parse it
    network_send_us: int = 10        # write one response to a socket (sendfile: no copy)
    handle_us: int = 40              # one request in a handler thread, without its records
    validate_us_per_kib: int = 20    # LogValidator and CRC over produced records
    fetcher_us: int = 30             # a follower takes one fetch response and appends
    disk: DiskCost = DiskCost()
    tls_us_per_kib: int = 2          # copy into the process and encrypt, or decrypt: 500 MB/s
    tls_handshake_us: int = 1000     # sign and agree on keys, once a connection

    def described(self) -> str:
        """One line to show beside a figure that depends on these times."""
        return (f"cost model: receive {self.network_receive_us} us, handle {self.handle_us} us, "
                f"validate {self.validate_us_per_kib} us/KiB, send {self.network_send_us} us, "
                f"append {self.disk.write_us} us, flush {self.disk.flush_us} us, read "
                f"{self.disk.read_us} us, TLS {self.tls_us_per_kib} us/KiB")
