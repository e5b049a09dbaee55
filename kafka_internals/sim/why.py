"""The chain behind a value: which change made it, what that change had read, and so on back.

A chain follows, of everything a change read, the link that was met last: the one that the value had
to wait for. It ends at a command, a timer or a config. What crossed the network shows as an arrow
(`asked`, `answer`): an arrow tells the way and is not counted as a cause of its own.
"""

from typing import Any, NamedTuple

from kafka_internals.sim.trace import Change, Trace

ARROWS = frozenset({"asked", "answer"})
VISIBLE_LINKS = 4


class Why(NamedTuple):
    """The answer to "why does this attribute have this value?".

    `change` made the value (None: it has stood since the beginning); `chain` are the changes behind
    it, newest first; `also_read` has, for each of them, what it read beside the followed link.
    """

    subject: str
    attribute: str
    value: Any
    change: Change | None
    chain: tuple[Change, ...]
    also_read: tuple[tuple[Change, ...], ...]
    ended_by: str
    waits: tuple[str, ...]

    def visible(self) -> tuple[Change, ...]:
        """The chain up to its fourth cause, with the arrows between."""
        causes, shown = 0, []
        for change in self.chain:
            causes += change.attribute not in ARROWS
            if causes > VISIBLE_LINKS:
                break
            shown.append(change)
        return tuple(shown)


def chain_of(trace: Trace, index: int) -> list[int]:
    """Indices of the changes behind the change at `index`, newest first, itself included."""
    chain = [index]
    while links := trace.links(chain[-1]):
        chain.append(links[-1])
    return chain


def ancestors(trace: Trace, index: int) -> set[int]:
    """Indices of every change that the change at `index` goes back to.

    By any read, and by the value that its own pair had before, which every change implies.
    """
    seen, todo = set(), [index]
    while todo:
        if (at := todo.pop()) not in seen:
            seen.add(at)
            before = trace.link(trace.changes[at][1:3], at)
            todo += trace.links(at) + ([] if before is None else [before])
    return seen


def explain(trace: Trace, subject: str, attribute: str, value: Any, waits: tuple[str, ...],
            event: int) -> Why:
    """Why `attribute` of `subject` is what it is after `event`."""
    index = trace.latest(subject, attribute, event)
    if index is None:
        return Why(subject, attribute, value, None, (), (), "the beginning of the run", waits)
    chain = chain_of(trace, index)
    also = tuple(tuple(trace.change(link) for link in trace.links(at)[:-1]) for at in chain)
    return Why(subject, attribute, value, trace.change(index),
               tuple(trace.change(at) for at in chain), also,
               trace.event(trace.change(chain[-1]).event).kind, waits)
