"""What a learner may break: brokers, disks, links and single messages.

Each is a command of the cluster: it is checked, goes into the journal, and happens at once.
"""

from collections.abc import Iterable
from typing import Any

from kafka_internals.cluster import checks
from kafka_internals.cluster.what_if import what_if


class Faults:
    """The half of the handle that breaks things, and mends them again."""

    what_if = what_if

    def kill(self, broker: int) -> None:
        """The process dies; the page cache, and so every byte written, survives."""
        self._fault("kill", broker, up=True)

    def stop(self, broker: int) -> None:
        """A clean shutdown: logs flushed, high watermarks checkpointed."""
        self._fault("stop", broker, up=True)
        node = self.machine.brokers[broker]
        self._advance(lambda: not node.up or node.paused, None)

    def power_loss(self, broker: int) -> None:
        """The machine goes dark: pages not flushed may be lost, and no connection is closed."""
        self._fault("power_loss", broker, up=True)

    def lose_disk(self, broker: int) -> None:
        """The disk is gone, and the broker with it; it can restart with an empty one."""
        self._fault("lose_disk", broker)

    def full_disk(self, broker: int, free_bytes: int = 0) -> None:
        """The disk takes `free_bytes` more and then nothing: a broker that has to write halts."""
        checks.not_negative("free_bytes", free_bytes)
        self._fault("full_disk", broker, free_bytes=free_bytes)

    def free_disk(self, broker: int) -> None:
        """There is room on the disk again; a broker that has halted can restart."""
        self._fault("free_disk", broker)

    def pause(self, broker: int) -> None:
        """The process stands still (a long garbage collection); the clock goes on."""
        self._fault("pause", broker, up=True, paused=False)

    def resume(self, broker: int) -> None:
        """A paused broker goes on with what has piled up."""
        self._fault("resume", broker, up=True, paused=True)

    def restart(self, broker: int) -> None:
        """The process begins again with what its disk holds, and registers with the controller."""
        self._fault("restart", broker, up=False)

    def slow(self, broker: int, fetch_ms: int) -> None:
        """What this broker fetches from others takes `fetch_ms` longer to ask for; 0 ends it."""
        checks.not_negative("fetch_ms", fetch_ms)
        self._fault("slow", broker, fetch_ms=fetch_ms)

    def slow_handlers(self, broker: int, delay_ms: float) -> None:
        """Each request keeps its handler thread `delay_ms` longer; 0 ends it."""
        checks.not_negative("delay_ms", delay_ms)
        self._fault("slow_handlers", broker, delay_ms=delay_ms)

    def drop_caches(self, broker: int) -> None:
        """Clean pages leave the page cache: to fetch those bytes again costs a disk read."""
        self._fault("drop_caches", broker)

    def _fault(self, command: str, broker: Any, up: bool | None = None,
               paused: bool | None = None, **more: Any) -> None:
        checks.broker_state(self.machine, command, broker, up, paused)
        self._command(command, broker=broker, **more)

    def partition(self, side: Iterable[Any], other_side: Iterable[Any]) -> None:
        """Cut every link between two groups of nodes (broker ids or client names), both ways."""
        names = checks.sides(self.machine, side, other_side)
        self._command("partition", side=names[0], other_side=names[1])

    def cut(self, sender: Any, receiver: Any) -> None:
        """Nothing passes from one node to another any more; the other direction stays."""
        self._command("cut", sender=checks.node(self.machine, sender),
                      receiver=checks.node(self.machine, receiver))

    def lossy(self, sender: Any, receiver: Any, per_mille: int) -> None:
        """Of a thousand messages from one node to another so many are lost."""
        checks.per_mille(per_mille)
        self._command("lossy", sender=checks.node(self.machine, sender),
                      receiver=checks.node(self.machine, receiver), per_mille=per_mille)

    def heal(self) -> None:
        """Every cut and lossy link works again. What was lost stays lost."""
        self._command("heal")

    def drop(self, message: Any) -> None:
        """Lose one message by identity ("request-producer-1.3", "response-producer-1.3")."""
        name = checks.message(self.machine, getattr(message, "subject", message))
        self._command("drop", message=name)

    def delay(self, message: Any, ms: float) -> None:
        """Let one message arrive `ms` later; what is behind it on its connection waits for it."""
        checks.not_negative("ms", ms)
        name = checks.message(self.machine, getattr(message, "subject", message))
        self._command("delay", message=name, ms=ms)
