"""Three real brokers fail and return, as Kafka's tools tell it; a cluster of ours beside them.

Nothing here needs a broker. Ours is given what was done to the real one; who leads, who is in sync
and eligible, which records are on each disk below which epochs, and the controller's records about
the partition are compared with what was printed.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import pytest

from kafka_internals.config.broker_config import BROKER_CONFIG
from kafka_internals.config.controller_config import CONTROLLER_CONFIG
from kafka_internals.config.topic_config import TOPIC_CONFIG
from kafka_internals.course import recorded
from tests.golden.recorder import replication, tools
from tests.golden.recorder.replication import BROKERS, SENT, TOPIC
from tests.golden.whole_cluster import Whole, merged

TOLD = tools.recorded(replication.STORED)
EXCERPTS = replication.excerpts(replication.STORED)
ABOUT = {"elr": True, "session": 9_000, "broker": {"metadata.max.idle.interval.ms": 0},
         "topics": {TOPIC: {"replicas": [1, 2, 3], "configs": {"min.insync.replicas": "2"}}}}
LOOK, END = ("look",), ("offsets", TOPIC)
WRITTEN = ("sleep", replication.CHECKPOINT_IS_WRITTEN_S)
STEPS = (("create topics",), LOOK, ("produce", TOPIC, "all", SENT["all"]), WRITTEN,
         ("pause", [2, 3]), ("produce", TOPIC, 1, SENT["lost"]), ("kill9", 1), ("cont", [2, 3]),
         ("fenced", 1), LOOK, ("produce", TOPIC, "all", SENT["new"]), WRITTEN, ("disks",),
         ("start", 1), LOOK, ("elect", "PREFERRED", TOPIC), LOOK,
         ("produce", TOPIC, "all", SENT["last"]), WRITTEN, ("disks",), ("stop", 2), LOOK,
         ("kill9", 1), ("fenced", 1), LOOK, ("produce", TOPIC, "all", SENT["refused"]), END,
         ("produce", TOPIC, 1, SENT["unseen"]), END, ("stop", 3), ("start", 2), LOOK,
         ("start", 1), LOOK, ("start", 3), LOOK, END, ("disks",))
DESCRIBED = re.compile(r"\tTopic: \S+\tPartition: (\d)\tLeader: (\S+)\tReplicas: (\S+)\tIsr: (\S*)"
                       r"\tElr: (\S*)\tLastKnownElr: (\S*)")
NEWS = ("replicas", "isr", "leader", "leaderEpoch", "eligibleLeaderReplicas", "lastKnownElr",
        "leaderRecoveryState")
BATCH = re.compile(r"baseOffset: (\d+) lastOffset: (\d+) count: (\d+) partitionLeaderEpoch: (\d+)")


def blocks(*names: str) -> list[tuple[str, str]]:
    """(command, what it printed) of recordings, in their order."""
    return [tuple(one.removeprefix("$ ").split("\n", 1)) for name in names
            for one in tools.blocks(TOLD[name]) if one.startswith("$ ")]


def numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


class Life(NamedTuple):
    """What was seen of a cluster of ours, step by step, and what its controller wrote."""

    looks: list[tuple]
    disks: list[dict[int, tuple]]
    heard: list
    written: list[dict]


@cache
def ours() -> Life:
    whole = Whole(ABOUT, [{"event": one} for one in STEPS])
    life = Life([], [], [], [])
    for what, *args in STEPS:
        match what:
            case "look":
                life.looks.append(tuple(whole.described(TOPIC)[0].values()))
            case "disks":
                life.disks.append({broker: disk(whole, broker) for broker in BROKERS})
            case _:
                life.heard.append(whole.perform(what, *args))
    life.written.extend(changes(one for batch in whole.written() for one in batch))
    return life


def disk(whole: Whole, broker: int) -> tuple[list[str], list[str], list]:
    """The lines of both checkpoints, and (offset, leader epoch, value) of each record."""
    content = whole.cluster.machine.brokers[broker].disk.read("replication-offset-checkpoint")
    return (whole.epochs(broker, TOPIC), content.decode().splitlines()[2:],
            [(base + at, epoch, value) for base, epoch, values in whole.log(broker, TOPIC)
             for at, value in enumerate(values)])


def changes(records: Iterable[tuple[str, dict]]) -> list[dict]:
    """What is new in each record about the partition."""
    return [{name: value for name, value in data.items() if name in NEWS}
            for kind, data in records if kind.startswith("PARTITION")]


def printed_changes() -> list[dict]:
    """The same of the real controller's records."""
    ((_, text),) = blocks("metadata")
    return changes((one["type"], one["data"]) for one in map(json.loads, text.splitlines()))


def lines_by_broker(command: str) -> list[dict[int, list[str]]]:
    """{broker: lines} of each time when a grep printed what its files say."""
    told = []
    for typed, text in blocks("epochs", "truncation"):
        if typed == command:
            told.append({broker: re.findall(rf"broker-{broker}/\S+:(.*)", text)
                         for broker in BROKERS})
    return told


# -- the same life ----------------------------------------------------------------------------
def test_leader_isr_elr_and_last_known_elr_are_those_that_were_described_after_every_step():
    described = [DESCRIBED.search(text).groups()
                 for typed, text in blocks("describe", "under-min-isr", "elr")
                 if f"--describe --topic {TOPIC}" in typed]
    assert [(int(number), -1 if leader == "none" else int(leader), *map(numbers, sets))
            for number, leader, *sets in described] == ours().looks


def test_the_controllers_records_about_the_partition_are_the_same_in_the_same_order():
    theirs = merged(printed_changes())
    assert merged(ours().written) == theirs
    assert len(theirs) > 8


def test_epochs_and_high_watermarks_on_the_disks_are_the_same_before_and_after_the_return():
    for at, command in enumerate((replication.EPOCHS, replication.WATERMARKS)):
        theirs = lines_by_broker(command)
        assert len(theirs) == 2
        assert [{broker: told[at] for broker, told in one.items()}
                for one in ours().disks[:2]] == theirs


def test_each_record_lies_in_the_logs_below_the_same_leader_epoch():
    parted, last = ours().disks[0], ours().disks[-1]
    dumps = [text for typed, text in blocks("epochs") if "dump-log" in typed]
    theirs = {int(broker): [(offset, int(epoch))
                            for first, end, _, epoch in BATCH.findall(text)
                            for offset in range(int(first), int(end) + 1)]
              for broker, text in re.findall(r"Dumping broker-(\d)((?:.*\n)+?)(?=Dumping|\Z)",
                                             dumps[0])}
    assert theirs == {broker: [(offset, epoch) for offset, epoch, _ in parted[broker][2]]
                      for broker in theirs}
    assert {1, 2} == set(theirs)
    whole = re.findall(r"partitionLeaderEpoch: (\d+)|offset: (\d+) .* payload: (\S+)",
                       TOLD["dump-log"])
    epoch, records = 0, []
    for new_epoch, offset, value in whole:
        epoch = int(new_epoch) if new_epoch else epoch
        if offset:
            records.append((int(offset), epoch, value))
    assert records == [record for broker in BROKERS for record in last[broker][2]]


def test_what_clients_hear_is_the_same_when_too_few_are_in_sync():
    heard = ours().heard
    refused = next(at for at, one in enumerate(heard) if one == [
        [SENT["refused"][0], "NOT_ENOUGH_REPLICAS", None]])
    ends = [text for typed, text in blocks("under-min-isr", "elr") if "get-offsets" in typed]
    assert [f"{TOPIC}:0:{offset}\n" for error, offset, _ in
            (heard[refused + 1], heard[refused + 3], heard[-1])] == ends
    assert ends[0] == ends[1]                # accepted with acks=1, and yet nobody can read it
    (told,) = [text for typed, text in blocks("under-min-isr", "elr") if SENT["refused"][0] in typed
               and "--sync" in typed]
    assert "NotEnoughReplicasException" in told


def test_the_old_leader_cut_its_log_where_the_epoch_ended_on_the_new_one():
    parted, later = ours().disks[:2]
    (told,) = [text for typed, text in blocks("truncation") if "Truncating" in typed]
    state, epoch, end = re.search(r"TruncationState\(offset=(\d+), completed=true\) .* "
                                  r"leaderEpoch=(\d+), endOffset=(\d+)\)", told).groups()
    assert f"Truncating to offset {end}\n" in told and state == end
    assert parted[2][0] == [f"{epoch} 0", f"{int(epoch) + 1} {end}"]
    assert parted[1][2][:int(end)] == later[1][2][:int(end)]
    assert [value for *_, value in parted[1][2][int(end):]] == list(SENT["lost"])


def test_defaults_are_those_of_our_engine():
    brokers, topics = ({line.partition("=")[0]: line.partition(" ")[0].partition("=")[2]
                        for line in text.splitlines()} for _, text in blocks("configs"))
    known = {**BROKER_CONFIG.parse({}), **CONTROLLER_CONFIG.parse({})}
    assert {name: str(known[name]).lower() for name in replication.DEFAULTS["brokers"]} == brokers
    assert topics == {"min.insync.replicas": "2", "unclean.leader.election.enable": str(
        TOPIC_CONFIG.parse({})["unclean.leader.election.enable"]).lower()}


# -- the excerpts -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", EXCERPTS)
def test_each_line_of_an_excerpt_stands_in_the_recording_in_that_order(name):
    lines = iter(TOLD[name.removeprefix("replicas-")].splitlines())
    shown = recorded.printed(name).splitlines()
    assert shown[0].startswith(("$ kafka-", "# "))
    assert len(shown) <= 18
    for line in shown:
        assert line in lines, line


@pytest.mark.parametrize("name", TOLD)
def test_a_recording_is_small_and_tells_nothing_of_its_machine(name):
    assert len(TOLD[name]) < 20_000
    assert not re.search(r"/tmp|/usr|recorder", TOLD[name])
    assert set(re.findall(r"localhost:(\d+)", TOLD[name])) <= {
        f"{port}{node}" for port in (909, 999) for node in range(4)}


def test_the_metrics_that_are_shown_tell_of_one_replica_in_sync_where_two_are_needed():
    found = {re.search(r"name=(\w+)", key)[1]: int(value)
             for key, value in recorded.values("replicas-metrics").items()}
    assert found == {
        "AtMinIsrPartitionCount": 0, "UnderMinIsrPartitionCount": 1, "UnderReplicatedPartitions": 1,
        "IsrExpandsPerSec": 0, "IsrShrinksPerSec": 0, "MaxLag": 0, "ActiveBrokerCount": 1,
        "FencedBrokerCount": 2, "OfflinePartitionsCount": 0, "PreferredReplicaImbalanceCount": 1,
        "UncleanLeaderElectionsPerSec": 0}


def test_a_leader_counts_no_shrinking_that_the_controller_decided():
    def counted(name: str) -> list[int]:
        return [int(one) for one in re.findall(rf"name={name}:Count=(\d+)", TOLD["metrics"])]
    sets = [set(one["isr"]) for one in printed_changes() if "isr" in one]
    steps = list(zip(sets, sets[1:]))
    assert sum(new < old for old, new in steps) == 4
    assert set(counted("IsrShrinksPerSec")) == {0}
    # An answer is ignored, and so not counted, where the metadata log has told its news before.
    under_3 = steps[steps.index((set(), {3})) + 1:]
    assert all(old < new for old, new in under_3)
    assert counted("IsrExpandsPerSec")[-1] <= len(under_3)
    assert counted("ElectionFromEligibleLeaderReplicasPerSec")[-2:] == [0, 1]


# -- the recorder without a cluster -----------------------------------------------------------
def test_what_never_comes_is_told_with_what_the_broker_knew(monkeypatch):
    on = object.__new__(replication.Replicated)
    monkeypatch.setattr(replication, "LIMIT_S", 0.01)
    monkeypatch.setattr(on, "_known_by", lambda broker: ({1, 2}, 2, {2}), raising=False)
    with pytest.raises(AssertionError, match=r"broker 2 knows \(\{1, 2\}, 2, \{2\}\)"):
        on.until(2, lambda alive, leader, isr: leader == 1)
