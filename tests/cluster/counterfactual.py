"""Runs with one event lost: what "why?" claims is held against what then happens.

A run is executed again without one event, everything before it being the same. What a value was at
a time is read from the trace, which `NoSilentChange` keeps honest.
"""

from bisect import bisect_right
from typing import NamedTuple

from kafka_internals.cluster import controller_server as controller
from kafka_internals.cluster.broker_server import FETCHER_DONE, HANDLED, NETWORK_DONE
from kafka_internals.sim.trace import Change
from kafka_internals.sim.why import ancestors

MESSAGES = ("request", "response")
TASKS = (NETWORK_DONE, HANDLED, FETCHER_DONE, controller.TURN, controller.HANDLED)


# When somebody was heard of last decides when it counts as silent, and not whether.
DEADLINES = ("contact_ms",)
DOWN = ("stopped", "crashed", "without power", "without disk")


class Finding(NamedTuple):
    """A change, and the event or the read about which "why?" is wrong."""

    change: Change
    about: tuple


class Counterfactual:
    """All runs that differ from a given one by the loss of one event.

    Unless `named`, requests and what is parked for them are left out of the questions.
    """

    def __init__(self, cluster, named=True):
        self.cluster, self.trace, self._named = cluster, cluster.trace, named
        self._twins = {}

    def _twin(self, lost):
        if lost not in self._twins:
            runs = []
            twin = self.cluster.again(without=frozenset({lost}), prepare=runs.append)
            try:
                twin.machine
                until_us = twin.machine.world.now_us
            except Exception:                         # a later command makes no sense without it
                until_us = runs[0].world.now_us
            self._twins[lost] = Values(runs[0].world.trace, until_us)
        return self._twins[lost]

    def changes_it(self, lost, change):
        """True where the value that `change` made was another one at that time, without `lost`."""
        t_us = self.trace.event(change.event).t_us
        return self._twin(lost).at(change.subject, change.attribute, t_us) != change.new

    def moves_it(self, lost, change):
        """True where it was made at another time, or not at all, without `lost`."""
        t_us = self.trace.event(change.event).t_us
        return not self._twin(lost).is_made_at(change, t_us)

    def false_reads(self):
        """Every named read whose event could be lost without a difference."""
        for index, change in self._questions():
            for link in self.trace.links(index):
                read = self.trace.change(link)
                lost = self._delivery(read, self.trace.event(change.event).node)
                if lost == read.event and self._twin(lost).is_made_at(
                        read, self.trace.event(lost).t_us):
                    continue                          # a lost tick is made up for at once
                differs = self.moves_it if read.attribute in DEADLINES else self.changes_it
                if lost != self._task(change.event) and not differs(lost, change):
                    yield Finding(change, read)

    def _delivery(self, read, reader):
        """The event to lose for a read: knowledge from elsewhere is lost with its message."""
        message = {"asked": read.subject, "answer": f"response{read.subject[7:]}"}
        about = message.get(read.attribute, "nothing")
        arrived = (event[0] for event in self.trace.events if event[3:6:2] == (reader, about))
        return next(arrived, None) or self._task(read.event)

    def _task(self, event):
        """A thread's task is lost with the request that it handles.

        Without the event in which the task begins, the thread would never be free again.
        """
        if self.trace.event(event).kind not in TASKS:
            return event
        handled = next((read[0] for one in self.trace.changes if one[0] == event
                        for read in one[6] if read[1] == "asked"), None)
        return next((one[0] for one in self.trace.events if one[5] == handled), event)

    def forgotten(self):
        """Every message whose loss makes a difference, and that no read goes back to.

        Messages of the scene, before time 0, are not asked about. What they set up is read all the
        same (a leader's role, a Metadata answer's leaders), but without one of them it is another
        story: a leader that has not heard of its partition refuses, refused batches stand in each
        other's way, and topics draw each other's ids. That nothing was in the way is no read.
        """
        messages = [event for event in self.trace.events
                    if event[4] in MESSAGES and event[1] >= 0]
        for index, change in self._questions():
            told = {self.trace.changes[at][1:3] for at in ancestors(self.trace, index)}
            for event in messages:
                if event[0] <= change.event and _told(event) not in told \
                        and self.changes_it(event[0], change):
                    yield Finding(change, event)

    def _questions(self):
        mine = self._twin(0)
        for index, change in enumerate(map(Change._make, self.trace.changes)):
            t_us = self.trace.event(change.event).t_us
            if (self._named or not change.subject.startswith(("request-", "parked-"))) \
                    and mine.at(change.subject, change.attribute, t_us) == change.new:
                yield index, change


def _told(event):
    """What a message carries, as a subject and an attribute."""
    _, _, _, _, kind, about = event
    return (about, "asked") if kind == "request" else (f"request{about[8:]}", "answer")


class Values:
    """What every attribute was at every time of one run, which came up to `until_us`."""

    def __init__(self, trace, until_us):
        self._until_us, self._of = until_us, {}
        for change in trace.changes:
            times, values = self._of.setdefault((change[1], change[2]), ([], []))
            times.append(trace.event(change[0]).t_us)
            values.append(change[4])
            if change[2] == "state" and change[4] in DOWN:
                self._are_gone(f"@{change[1].removeprefix('broker-')}", times[-1])

    def _are_gone(self, broker, t_us):
        """With a process everything goes that it knew of its replicas."""
        for (subject, _), (times, values) in self._of.items():
            if subject.endswith(broker):
                times.append(t_us)
                values.append("no value any more")

    def is_made_at(self, change, t_us):
        """True where the attribute becomes the same value at this very time."""
        times, values = self._of.get((change.subject, change.attribute), ([], []))
        return (t_us, change.new) in zip(times, values)

    def at(self, subject, attribute, t_us):
        """The value that stands when everything of this time has happened."""
        if t_us > self._until_us:
            return "the run did not come so far"
        times, values = self._of.get((subject, attribute), ([], []))
        after = bisect_right(times, t_us)
        return values[after - 1] if after else "no value yet"
