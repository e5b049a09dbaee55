"""Looking at snapshots by attribute name, and the answer to "why?" as a learner reads it."""

from typing import Any

from kafka_internals.cluster import words
from kafka_internals.errors import IllegalStateException
from kafka_internals.sim.trace import Trace
from kafka_internals.sim.why import VISIBLE_LINKS
from kafka_internals.sim.why import Why as Chain


def attribute_of(snapshot: Any, attribute: str, subject: str = "it") -> Any:
    """`field`, or `field.key` where the field is a tuple of (key, value) pairs."""
    field, dot, key = attribute.partition(".")
    fields = getattr(snapshot, "_fields", ())
    if field in fields and field != "waits":
        value = getattr(snapshot, field)
        if not dot:
            return value
        pairs = {str(name): one for name, one in value}
        if key in pairs:
            return pairs[key]
        known = ", ".join(f"{field}.{name}" for name in pairs) or "nothing yet"
        raise IllegalStateException(f"{subject} has no {attribute}; there is {known}")
    known = ", ".join(name for name in fields if name != "waits")
    raise IllegalStateException(f"{subject} has no attribute {attribute!r}; there is {known}")


class Why:
    """The answer to "why?": print it, or read `chain`, `rule` and `waits`.

    `chain` are the changes behind the value, newest first; each has an `event` to fork at.
    """

    def __init__(self, chain: Chain, times_us: list[int]) -> None:
        self._chain, self._times_us = chain, times_us
        self.subject, self.attribute, self.value = chain.subject, chain.attribute, chain.value
        self.rule = chain.change.rule if chain.change else None
        self.event = chain.change.event if chain.change else 0
        self.chain, self.waits = chain.chain, chain.waits
        self.also_read, self.ended_by = chain.also_read, chain.ended_by

    @classmethod
    def of(cls, chain: Chain, trace: Trace) -> "Why":
        """Add the times at which the changes happened."""
        return cls(chain, [trace.event(change.event).t_us for change in chain.chain])

    def __str__(self) -> str:
        lines = [words.question(self.subject, self.attribute, self.value)]
        if self.rule is None:
            lines.append("  It has not changed since the run began.")
        else:
            lines.append(f"  rule: {self.rule}")
        shown = self._chain.visible()
        for change, t_us in zip(shown, self._times_us):
            arrow = "~>" if change.attribute in ("asked", "answer") else "<-"
            when = f"{t_us / 1000:9.3f} ms" if t_us >= 0 else f"{'before 0':>12}"
            lines.append(f"  {arrow} {when}  {words.change(change)}")
        if len(shown) < len(self.chain):
            lines.append(f"  ... and {len(self.chain) - len(shown)} more, back to: "
                         f"{words.change(self.chain[-1])}")
        elif self.chain:
            lines.append(f"  set off by a {self.ended_by}")
        lines += [f"  waiting for {wait}" for wait in self.waits]
        return "\n".join(lines)

    __repr__ = __str__


__all__ = ["Why", "attribute_of", "VISIBLE_LINKS"]
