"""Seeded schedules: a voter and two observers under loss, crashes and power failures, judged.

The judges look after every step; each is tripped by a mutant that breaks the rule it guards.
"""

from random import Random

import pytest

from kafka_internals.common import Send
from kafka_internals.errors import KafkaException
from kafka_internals.messages.metadata_records import TopicRecord
from kafka_internals.raft.metadata_fetcher import MetadataFetcher
from kafka_internals.raft.quorum_state import QuorumState
from tests.raft.quorums import CONTROLLER, VOTER, Node

SEEDS, STEPS = range(60), 120


class Broken(AssertionError):
    """A judge's verdict."""


class Schedule:
    """One run: `step` does something by luck and then looks."""

    def __init__(self, seed: int, only: str | None = None) -> None:
        self.only = only                                # the one judge who is asked
        self.luck, self.now_ms = Random(f"quorum {seed}"), 0
        self.leader = Node(CONTROLLER, (VOTER,))
        self.observers = [Node(1), Node(2, config={"controller.quorum.fetch.max.bytes": 100})]
        self.committed: list = []                       # whatever anybody has heard of, in order
        self.epochs: dict[int, int] = {}                # epoch: offset where it was led from
        self.marks: dict[int, int] = {}
        for node in self.nodes:
            node.disk._draw = self.luck.randrange       # which dirty pages a power loss keeps
            node.start()
        self.topics = 0

    @property
    def nodes(self) -> list[Node]:
        return [self.leader, *self.observers]

    def step(self) -> None:
        self.now_ms += self.luck.randrange(40)
        self.luck.choices([self.append, self.carry, self.lose, self.tick, self.restart],
                          [3, 8, 1, 3, 1])[0]()
        self.judge()

    def append(self) -> None:
        for _ in range(self.luck.randrange(1, 4)):
            self.topics += 1
            client = self.leader.client
            client.schedule_atomic_append(client.quorum.epoch, [TopicRecord(
                f"topic-{self.topics}", "AAAAAAAAAAAAAAAAAAAAKg")], self.now_ms)

    def carry(self) -> None:
        """One message, if there is any."""
        for node in self.luck.sample(self.observers, 2):
            if node.sent and isinstance(sent := node.sent.popleft(), Send):
                self.leader.do(self.leader.client.handle(sent.request, self.now_ms))
                return
        if self.leader.sent:
            reply = self.leader.sent.popleft()
            node = self.observers[int(reply.request.client_id[-1]) - 1]
            node.do(node.client.handle(reply.request.answered(reply.body), self.now_ms))

    def lose(self) -> None:
        node = self.luck.choice(self.observers)
        node.sent.clear()
        node.do(node.client.disconnected(self.now_ms))

    def tick(self) -> None:
        for node in self.nodes:
            node.do(node.client.tick(self.now_ms))

    def restart(self) -> None:
        node = self.luck.choice(self.nodes)
        node.restart(self.now_ms, power_loss=self.luck.random() < 0.7)
        self.marks.pop(node.node, None)

    def settle(self) -> None:
        """Nothing is lost any more: soon all know the same."""
        for _ in range(200):
            self.now_ms += 30
            self.tick()
            for _ in range(4):
                self.carry()
            self.judge()

    # -- judges -------------------------------------------------------------------------------
    def judge(self) -> None:
        for node in self.nodes:
            snapshot = node.client.snapshot()
            self.log_matching(node)
            self.committed_never_lost(node)
            self.high_watermark_is_monotonic(node, snapshot)
            self.one_history_of_each_epoch(snapshot)

    def broken(self, judge: str, what: str) -> None:
        if self.only in (None, judge):
            raise Broken(f"{judge}: {what}")

    def log_matching(self, node: Node) -> None:
        """The same offset and epoch: the same log up to there."""
        lead, own = list(self.leader.log.batches()), list(node.log.batches())
        shared = [n for n, (a, b) in enumerate(zip(lead, own))
                  if (a.base_offset, a.leader_epoch) == (b.base_offset, b.leader_epoch)]
        size = lead[shared[-1]].position + lead[shared[-1]].size if shared else 0
        if self.leader.log.content()[:size] != node.log.content()[:size]:
            self.broken("LogMatching", f"node {node.node}")

    def committed_never_lost(self, node: Node) -> None:
        heard = node.listener.records
        shorter = min(len(heard), len(self.committed))
        if heard[:shorter] != self.committed[:shorter]:
            self.broken("StateMachineSafety", f"node {node.node}")
        self.committed = max(self.committed, heard, key=len)
        if node is self.leader and len(heard) < len(self.committed):
            self.broken("LeaderCompleteness", "the leader is without a committed record")

    def high_watermark_is_monotonic(self, node: Node, snapshot) -> None:
        mark = snapshot.high_watermark or 0
        if mark < self.marks.get(node.node, 0) or mark > snapshot.log_end_offset:
            self.broken("MonotonicHighWatermark", f"node {node.node}")
        self.marks[node.node] = mark

    def one_history_of_each_epoch(self, snapshot) -> None:
        start = snapshot.epoch_start_offset
        if start is not None and self.epochs.setdefault(snapshot.leader_epoch, start) != start:
            self.broken("ElectionSafety", f"epoch {snapshot.leader_epoch} was led twice")


def run(seed: int, only: str | None = None) -> Schedule:
    schedule = Schedule(seed, only)
    for _ in range(STEPS):
        schedule.step()
    schedule.settle()
    return schedule


def is_noticed(verdict: str) -> bool:
    """True where this judge, or a node itself, says so for some seed."""
    for seed in SEEDS:
        try:
            run(seed, only=verdict)
        except (Broken, KafkaException) as error:
            if str(error).startswith(verdict):
                return True
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_lost_all_end_with_the_leaders_log(seed):
    schedule = run(seed)
    for node in schedule.observers:
        assert node.log.content() == schedule.leader.log.content()
        assert node.listener.records == schedule.leader.listener.records == schedule.committed
        assert node.client.snapshot().state == "FOLLOWER"


def never_flushes(monkeypatch) -> None:
    monkeypatch.setattr("kafka_internals.storage.unified_log.UnifiedLog.flush", lambda log: None)


def leads_its_old_epoch_again(monkeypatch) -> None:
    kept = QuorumState.transition_to_candidate

    def same_epoch(quorum):
        effects = kept(quorum)
        quorum.state.epoch = max(1, quorum.epoch - 1)
        return effects

    monkeypatch.setattr(QuorumState, "transition_to_candidate", same_epoch)


def cuts_what_is_committed(monkeypatch) -> None:
    def cut(fetcher, end, reads, now_ms):
        fetcher._log.truncate_to(end.offset, now_ms)
        return []

    monkeypatch.setattr(MetadataFetcher, "_cut", cut)


@pytest.mark.parametrize("mutants, verdict", [
    ([never_flushes], "LeaderCompleteness"),
    ([never_flushes], "The leader requested truncation"),
    ([leads_its_old_epoch_again], "ElectionSafety"),
    ([never_flushes, leads_its_old_epoch_again], "LogMatching"),
    ([never_flushes, cuts_what_is_committed], "StateMachineSafety"),
    ([never_flushes, cuts_what_is_committed], "MonotonicHighWatermark")],
    ids=lambda one: one if isinstance(one, str) else "+".join(mutant.__name__ for mutant in one))
def test_a_broken_rule_is_noticed(mutants, verdict, monkeypatch):
    for mutant in mutants:
        mutant(monkeypatch)
    assert is_noticed(verdict)
