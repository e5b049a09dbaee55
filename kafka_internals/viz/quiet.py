"""Quiet events: what a film about data does not look at.

A cluster is never still: brokers send heartbeats and fetch the metadata log twice a second, and the
controller writes into it (KIP-500, KIP-631). Who looks at records needs none of that: a view that
is `of_data` is not drawn after an event that was about the control plane alone. What such an event
leads to - another leader, another ISR - happens at a broker, in an event of its own.
"""

import re
from collections.abc import Iterable

from kafka_internals.sim.trace import Trace

CONTROL = re.compile(
    r"(controller-|__cluster_metadata-|(request|response|parked)-(raft-client-|admin\.))|"
    r".*(@controller-|-(lifecycle|alter-partition|producer-ids)(\.|$))")


def is_quiet(event: tuple, changes: Iterable[tuple], flights: Iterable[tuple]) -> bool:
    """True for a row of the trace where that, what it changed and what it sent is all control."""
    node, kind, about = event[3:]
    named = [row[1] for row in (*changes, *flights)]
    if about is not None and kind != "command":
        named.append(about)
    return all(map(CONTROL.match, named or (node,)))


def heard(trace: Trace, since: int) -> list[int]:
    """Ids of the events after one that were not quiet."""
    by_event: dict[int, tuple[list, list]] = {}
    for at, rows in enumerate((trace.changes, trace.flights)):
        for row in reversed(rows):
            if row[0] <= since:
                break
            by_event.setdefault(row[0], ([], []))[at].append(row)
    return [row[0] for row in trace.events[since:]
            if not is_quiet(row, *by_event.get(row[0], ((), ())))]
