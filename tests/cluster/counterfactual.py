"""Runs with one event lost: what "why?" claims is held against what then happens.

A run is executed again without one event, everything before it being the same. What a value was at
a time is read from the trace, which `NoSilentChange` keeps honest.
"""

from bisect import bisect_right
from typing import NamedTuple

from kafka_internals.sim.trace import Change
from kafka_internals.sim.why import ARROWS, ancestors

MESSAGES = ("request", "response")


class Finding(NamedTuple):
    """A change, and the event or the read about which "why?" is wrong."""

    change: Change
    about: tuple


class Counterfactual:
    """All runs that differ from a given one by the loss of one event."""

    def __init__(self, cluster):
        self.cluster, self.trace = cluster, cluster.trace
        self._twins = {}

    def _twin(self, lost):
        if lost not in self._twins:
            self._twins[lost] = Values(self.cluster.again(without=frozenset({lost})).trace)
        return self._twins[lost]

    def changes_it(self, lost, change):
        """True where the value that `change` made was another one at that time, without `lost`."""
        t_us = self.trace.event(change.event).t_us
        mine, other = (one.at(change[1], change[2], t_us)
                       for one in (self._twin(0), self._twin(lost)))
        if mine[-1] == change.new:
            return other[-1] != change.new
        return change.new not in other[:-1]           # a value that lasted for no time

    def false_reads(self):
        """Every named read whose event could be lost without a difference."""
        for index, change in self._questions():
            for link in self.trace.links(index):
                read = self.trace.change(link)
                if read.event != change.event and not self.changes_it(read.event, change):
                    yield Finding(change, read)

    def forgotten(self):
        """Every message whose loss makes a difference, and that no read goes back to."""
        messages = [event for event in self.trace.events if event[4] in MESSAGES]
        for index, change in self._questions():
            told = {self.trace.changes[at][1:3] for at in ancestors(self.trace, index)}
            for event in messages:
                if event[0] <= change.event and _told(event) not in told \
                        and self.changes_it(event[0], change):
                    yield Finding(change, event)

    def _questions(self):
        return [(index, Change._make(change)) for index, change in enumerate(self.trace.changes)
                if change[2] not in ARROWS]


def _told(event):
    """What a message carries, as a subject and an attribute."""
    _, _, _, _, kind, about = event
    return (about, "asked") if kind == "request" else (f"request{about[8:]}", "answer")


class Values:
    """What every attribute was at every time of one run."""

    def __init__(self, trace):
        self._times, self._values = {}, {}
        for change in trace.changes:
            pair = change[1], change[2]
            self._times.setdefault(pair, []).append(trace.event(change[0]).t_us)
            self._values.setdefault(pair, []).append(change[4])

    def at(self, subject, attribute, t_us):
        """The values that it took at exactly this time, and the one that stands after it."""
        times = self._times.get((subject, attribute), [])
        values = self._values.get((subject, attribute), [])
        end = bisect_right(times, t_us)
        taken = [values[i] for i in range(end) if times[i] == t_us]
        return [*taken, values[end - 1] if end else "no value yet"]
