"""What a picture of a broker's inside says about an event: the sentence for the step of a request.

The changes of one event are many; the sentence is about the one that a learner would ask for: a
mark that moved before an answer, an append before a hand-over, a hand-over before an arrival.
"""

import re
from collections.abc import Callable
from typing import Any

from kafka_internals.common import TopicPartition, replica_name
from kafka_internals.sim.trace import Change
from kafka_internals.viz.camera import Look


def short_name(client: str) -> str:
    """A client's name where there is little room: "producer-12", "broker 2"."""
    name = client.replace("broker-", "broker ")
    return name if len(name) <= 12 else f"{name[:11]}…"


def what_happened(look: Look, path: Any, partition: TopicPartition | None) -> str:
    """What this event did in the broker; where it did nothing here, how things stand."""
    moves = [one for one in look.changes if one.attribute == "station"
             and (one.subject in {r.request for r in path.requests} or _was_here(look, path, one))]
    ranked = [(rank, one, say) for one in moves for rank, (form, say) in enumerate(STEPS)
              if (re.match(form, one.new))]
    log = _log_changes(look, path, partition)
    if not ranked:
        return log or _stands(path)
    _, move, say = min(ranked, key=lambda each: each[0])
    said = say(path, move, _request(move.subject))
    said = said[0].upper() + said[1:]
    return f"{said} {log}" if log else said


def _was_here(look: Look, path: Any, move: Change) -> bool:
    """A request that has gone in this event: its connection was one of this broker's."""
    client = move.subject[8:].rpartition(".")[0].removesuffix("-fetcher-0")
    known = {each.client for one in path.processors for each in one.connections}
    return move.new in ("sent", "no response", "closed") and (client in known or not known)


def _request(identity: str) -> str:
    """"request #3 of producer-1", from the identity of a request or of its parked operation."""
    client, _, number = identity.partition("-")[2].rpartition(".")
    return f"request #{number} of {client.removesuffix('-fetcher-0').replace('broker-', 'broker ')}"


def _number(station: str) -> str:
    return re.search(r"\d+", station)[0]


# -- steps -----------------------------------------------------------------------------------------
def _parked(path: Any, move: Change, who: str) -> str:
    until = "the high watermark" if "produce" in _asked(path, move) else "enough bytes to send"
    return (f"{who} has to wait for {until}: it goes to the purgatory, with a condition and a "
            f"deadline. It holds no thread: handler {_number(move.old)} is free.")


def _asked(path: Any, move: Change) -> str:
    return next((one.asked for one in path.requests if one.request == move.subject), "")


def _handled(path: Any, move: Change, who: str) -> str:
    asked = _asked(path, move)
    does = "checks it, then appends" if asked.startswith("produce") else \
        "looks into the log" if asked.startswith("fetch") else "answers it"
    queued = "" if move.old == "request queue" or "waits" in (move.old or "") else \
        " The queue was empty."
    return f"Handler {_number(move.new)} takes {who} and {does}.{queued}"


def _locked(path: Any, move: Change, who: str) -> str:
    log = move.new.rpartition(" ")[2]
    return (f"Handler {_number(move.new)} has {who}, and another one appends to {log}: one "
            f"append at a time, in the order in which they took the lock.")


def _written(path: Any, move: Change, who: str) -> str:
    return f"Network thread {_number(move.new)} writes the answer to {who}."


def _network(path: Any, move: Change, who: str) -> str:
    if move.old and not move.old.startswith("socket"):
        return _written(path, move, who)
    return (f"Network thread {_number(move.new)} reads {who}. Until that is answered it reads "
            f"nothing more from this connection: it is muted.")


def _blocked(path: Any, move: Change, who: str) -> str:
    return (f"The request queue is full: network thread {_number(move.new)} stands still with "
            f"{who}, and every connection that it owns waits.")


def _queued(path: Any, move: Change, who: str) -> str:
    place = path.queue.index(move.subject) + 1 if move.subject in path.queue else 1
    return (f"{who} joins the request queue, at place {place} of {path.queue_capacity}: every "
            f"handler is busy.")


def _answered(path: Any, move: Change, who: str) -> str:
    number = _number(move.new)
    return (f"The answer to {who} is ready. It waits for network thread {number}, the one that "
            f"read the request: so answers keep the order of a connection.")


def _socket(path: Any, move: Change, who: str) -> str:
    muted = any(each.unread and move.subject in each.unread for one in path.processors
                for each in one.connections)
    why = "its connection is muted until the request before it is answered" if muted else \
        "its network thread is busy"
    return f"{who} is in the socket, and nobody reads it: {why}."


STEPS: tuple[tuple[str, Callable[[Any, Change, str], str]], ...] = (
    (r"processor \d+, blocked", _blocked),
    (r"purgatory", _parked),
    (r"handler \d+, waits", _locked),
    (r"handler \d+$", _handled),
    (r"request queue", _queued),
    (r"response queue", _answered),
    (r"closed", lambda path, move, who: f"The connection of {who} is closed."),
    (r"processor \d+$", _network),
    (r"socket", _socket),
    (r"sent", lambda path, move, who: f"The answer to {who} has left, and its connection is read "
                                      f"again."),
    (r"no response", lambda path, move, who: f"{who} wants no answer (acks=0): its connection is "
                                             f"read again."))


# -- the log, and how things stand -----------------------------------------------------------------
def _log_changes(look: Look, path: Any, partition: TopicPartition | None) -> str:
    """A log end or a high watermark of the drawn log that moved."""
    subject = None if partition is None else replica_name(partition, path.broker)
    for one in look.changes:
        if one.subject == subject and one.old is not None:
            if one.attribute == "high_watermark":
                woken = [_request(each.subject) for each in look.changes
                         if each.subject.startswith("parked-") and each.new == "COMPLETED"
                         and each.old == "WATCHED"]
                whom = f"{len(woken)} requests" if len(woken) > 2 else " and ".join(woken)
                wakes = f", which wakes {whom}" if woken else ""
                return f"The high watermark moves from {one.old} to {one.new}{wakes}."
            if one.attribute == "log_end_offset":
                span = f"offset {one.old} is" if one.new == one.old + 1 else \
                    f"offsets {one.old} to {one.new - 1} are"
                return f"{span[0].upper()}{span[1:]} in the page cache, not yet committed."
    return ""


def _stands(path: Any) -> str:
    busy = sum(one.request is not None for one in path.handlers)
    parked, queued = len(path.purgatory), len(path.queue)
    if not path.requests:
        return f"Broker {path.broker} has nothing to do: every thread is idle."
    return (f"Broker {path.broker}: {queued} in the request queue, {busy} of {len(path.handlers)} "
            f"handlers busy, {parked} waiting in the purgatory.")
