"""The same faults give the same records, files and answers as in a real cluster of Kafka 4.4.0.

Left out of both sides is what differs from run to run: absolute offsets, broker epochs, redundant
fencing, the order of topics within one batch, in which heartbeat a broker says that none of its
directories is cordoned, and, of replicas that come into an ISR one after another, who was first.
Left out are also when a broker allocates producer ids (ours have a block from their boot on), its
high watermark checkpoint but where it has stopped, an election for which nobody was there to be
asked, and how often brokers beat and fetched meanwhile (`requests` and `replicaFetches` of the
recordings): that goes by the clock. Raw requests are in test_truncation and test_controller.
"""

from typing import Any

import pytest

from tests.golden.cases import json_lines
from tests.golden.controller_replay import REGISTRATION_CHANGE, Replay, atomic, by_topic
from tests.golden.whole_cluster import Whole, merged

LIVES = ("life-elr-kill-all", "life-elr-stop-all", "life-elr-mixed", "life-noelr-kill-all",
         "life-noelr-stop-all", "control-lifecycle", "trunc-one", "trunc-two", "trunc-unclean")
FLAGS = {"fenced", "inControlledShutdown"}


class Side:
    """Ours or theirs: what was written for each event, in a form that can be compared."""

    def __init__(self, topics: dict) -> None:
        self._isr = {f"${name}": one["replicas"] for name, one in topics.items()}
        self._fenced = object.__new__(Replay)
        self._fenced.fenced = {"one": set()}

    def told(self, batches: list) -> tuple[dict, list]:
        """Each topic's changes in their order, and the batches about brokers."""
        kept = []
        for batch in batches:
            plain = [[kind, data] for kind, data in batch if kind != "PRODUCER_IDS"
                     and (kind != REGISTRATION_CHANGE or FLAGS & data.keys())]
            joins = [one for one in plain if self._joins(*one)]
            kept += [part for part in ([one for one in plain if one not in joins], joins) if part]
        batches = self._fenced.told("one", kept)
        changes = {topic: merged(one) for topic, one in by_topic(batches).items()}
        return changes, [[one for one in batch if one[0] != REGISTRATION_CHANGE or len(one[1]) > 1]
                         for batch in atomic([[[kind, flags_of(kind, data)] for kind, data in batch]
                                              for batch in batches])]

    def _joins(self, kind: str, data: dict) -> bool:
        """True for a replica that comes into an ISR: its leader has asked for that."""
        if not kind.startswith("PARTITION"):
            return False
        old = self._isr.get(data["topicId"], [])
        new = self._isr[data["topicId"]] = data.get("isr", old)
        return kind == "PARTITION_CHANGE" and "leader" not in data and set(new) > set(old)


def flags_of(kind: str, data: dict) -> dict:
    return data if kind != REGISTRATION_CHANGE else {
        name: value for name, value in data.items() if name != "cordonedLogDirs"}


def heard_in(event: dict) -> Any:
    """What the recorded client heard."""
    what = event["event"][0]
    if what == "produce":
        return event["results"]
    if what == "offsets":
        return event["error"], event.get("offset"), event.get("leaderEpoch")
    if what == "elect":
        return {name: (one["error"], one["message"]) for name, one in event["results"].items()}
    if what == "initPid":
        return event["error"], event["offset"]
    if what == "stop":
        return event["exited"]
    if what in ("config", "delete"):
        return event["error"]
    return (event["error"], event.get("message")) if what == "unregister" else None


def heard_by(what: str, answer: Any) -> Any:
    """The same of our client."""
    if what == "elect":
        return {str(one.partition): (one.error, one.error_message) for one in answer.results}
    if what == "unregister":
        return answer.error, answer.error_message
    if what in ("config", "delete"):
        return answer.responses[0].error
    return answer if what in ("produce", "offsets", "initPid", "stop") else None


@pytest.mark.parametrize("case", LIVES)
def test_a_whole_cluster_lives_the_recorded_life(case):
    about, *events = json_lines(f"cluster/{case}/case.jsonl")
    whole = Whole(about, events)
    ours, theirs = Side(whole.about["topics"]), Side(whole.about["topics"])
    for number, event in enumerate(whole.events):
        what, where = event["event"], f"{case}, event {number}: {event['event']}"
        if what[0] == "elect" and event.get("error") == "REQUEST_TIMED_OUT":
            continue                                      # no broker was there to be asked
        answer = whole.perform(*what)
        written = ours.told(whole.written())
        assert what[0] == "end" or written == theirs.told(event.get("batches", [])), where
        assert heard_by(what[0], answer) == heard_in(event), where
        if what[0] == "describe":
            assert whole.described(what[1]) == event["partitions"], where
        for broker, files in event.get("files", {}).items():
            for topic, lines in files["epochs"].items():
                assert whole.epochs(int(broker), topic) == lines, f"{where}: {broker}, {topic}"
            for topic, log in files.get("logs", {}).items():
                assert whole.log(int(broker), topic) == log, f"{where}: {broker}, {topic}"
            assert whole.marks(int(broker)) == files.get("marks", whole.marks(int(broker))), where
        if what[0] == "end":                              # several histories are one, byte for byte
            for broker in whole.about["topics"]["t"]["replicas"]:
                assert whole.segment(broker, "t").hex() == event["segment"], f"{case}: {broker}"
