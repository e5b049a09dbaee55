"""ControllerResult: what a handler of the controller has decided, before anything is changed.

Handlers decide and return records and a response; only replaying the records changes state, so that
a controller that takes over from the log is where its predecessor was.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Decided(NamedTuple):
    """A record, and for "why?" the rule by which it is written and what was read for it.

    `of` has what single attributes were read from beside: {"isr": ((subject, attribute), ...)}.
    """

    record: Any
    rule: str
    reads: tuple = ()
    of: Mapping[str, tuple] = MappingProxyType({})


class ControllerResult(NamedTuple):
    """Records that are written together or not at all, and what is answered once they are.

    `reads` is what the answer was read from beside the request, `shutting_down` a broker whose
    leaders have moved with these records.
    """

    records: list[Decided]
    response: Any
    reads: tuple = ()
    shutting_down: int | None = None
