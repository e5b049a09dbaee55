"""The boss of module 3: write the decision by which a follower cuts its log.

A case is a schedule of failovers: leaders die, replicas are slow, and who was dead comes back with
records that nobody else has. The reader's function decides in every broker, and judges watch: what
was committed stays, logs that share an epoch share what is below it, and in the end all replicas
are the same. A wrong answer comes back as the shortest schedule that it breaks.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from kafka_internals.cluster.compared_logs import first_difference
from kafka_internals.common import replica_name
from kafka_internals.course.exercise import Called, Case, Exercise, Verdict, bounded, grade
from kafka_internals.course.failovers import PARTITION, Step, failovers, play, quarrels
from kafka_internals.server.offset_truncation_state import (
    UNDEFINED,
    OffsetTruncationState,
    get_offset_truncation_state,
)
from kafka_internals.viz.replication_view import replication_view

# Broker 3 has a record of epoch 1 that broker 1 never had when it led epoch 2; then 3 leads.
CROSSED = (Step("send", (1, 40)), Step("send", (1, 3)), Step("slow", (3, 1_000)),
           Step("fail", (1,)), Step("restart", (0,)), Step("wait", (700,)),
           Step("slow", (1, 2_500)), Step("wait", (1_500,)), Step("send", (1, 700)),
           Step("slow", (3, 2_500)), Step("fail", (1,)), Step("send", (1, 100)),
           Step("fail", (10,)))
SEEDS = ((failovers, (10, 16, 17, 18, 20, 21, 22, 24, 27, 28, 45)),
         (quarrels, (0, 1, 3, 4, 5, 7, 8, 9, 11, 13, 16, 19)))
MOST_CUTS = 100                             # in one schedule: a follower that never comes to an end
SOLUTION = '''\
def cut_to(epoch, end_offset, high_watermark, log_end_offset, end_offset_for):
    own_epoch, own_end = end_offset_for(epoch)
    if own_epoch == epoch:
        return min(own_end, end_offset, log_end_offset)
    return min(own_end, log_end_offset)     # I never had that epoch: back to before it, ask again
'''
PRAISE = ("That is OffsetTruncationState of AbstractFetcherThread: each answer takes at least one "
          "epoch away, so it comes to an end.")


class Cut(NamedTuple):
    """One decision: what was asked, what the answer gave, and what Kafka would have done."""

    epoch: int
    end_offset: int
    high_watermark: int
    log_end_offset: int
    own: tuple[int, int]
    given: int
    right: int


class Outcome(NamedTuple):
    """What a schedule came to under an answer: what broke ("" for nothing), and each decision."""

    broken: str
    cuts: tuple[Cut, ...]
    cluster: Any


class Decider:
    """An answer as a broker's rule: it bounds each call, and notes what was decided.

    The answer is asked where both sides can say something; where one has no epochs, Kafka's rule
    holds. A film plays the run again: then nothing is noted, and nothing stops it.
    """

    def __init__(self, answer: Callable, rounds: int) -> None:
        self._answer, self._rounds = answer, rounds
        self.cuts: list[Cut] = []
        self.ended_by: Called | None = None
        self.is_noting = True

    def __call__(self, leader: Any, high_watermark: int, log_end_offset: int,
                 end_offset_for: Callable[[int], Any]) -> OffsetTruncationState:
        right = get_offset_truncation_state(leader, high_watermark, log_end_offset, end_offset_for)
        own = end_offset_for(leader.leader_epoch)
        if UNDEFINED in (*leader, *own):
            return right
        asked = *leader, high_watermark, log_end_offset
        called = bounded(self._answer, (*asked, end_offset_for), self._rounds)
        if self.is_noting:
            if not _is_offset(called, log_end_offset) or len(self.cuts) == MOST_CUTS:
                self.ended_by = called
                raise RuntimeError(f"this answer ends the run: {called}")
            self.cuts.append(Cut(*asked, tuple(own), called.value, right.offset))
        return OffsetTruncationState(called.value, called.value == log_end_offset)


def _is_offset(called: Called, log_end_offset: int) -> bool:
    return called.how == "returned" and type(called.value) is int \
        and 0 <= called.value <= log_end_offset


def decided(answer: Callable, steps: tuple[Step, ...], rounds: int) -> Called:
    """Play a schedule under an answer: an Outcome, or how a call of the answer ended."""
    decider = Decider(answer, rounds)
    played = play(steps, {"truncation": decider})
    decider.is_noting = False
    if (ended := decider.ended_by) is None:
        broken = str(played.violated) if played.violated is not None else _apart(played.cluster)
    elif ended.how != "returned" or ended.value is None:
        return ended
    else:
        broken = _no_end(decider.cuts) if len(decider.cuts) == MOST_CUTS else \
            f"cut_to() gave {ended.value!r}; it is an offset from 0 to the end of the log."
    return Called("returned", Outcome(broken, tuple(decider.cuts), played.cluster))


def _no_end(cuts: list[Cut]) -> str:
    return (f"after {len(cuts)} answers the follower is still asking: cut_to() gives "
            f"{cuts[-1].given} for epoch {cuts[-1].epoch} again and again.")


def _apart(cluster: Any) -> str:
    """What is wrong with logs that had time to become the same; "" for nothing."""
    isr = cluster.machine.image.partition(PARTITION).isr
    logs = [cluster.look(replica_name(PARTITION, broker)) for broker in sorted(isr)]
    for one in logs[1:]:
        end = max(one.log_end_offset, logs[0].log_end_offset)
        if (at := first_difference(logs[0], one, end)) is not None:
            return (f"in the end brokers {logs[0].broker} and {one.broker} have different records "
                    f"at offset {at}.")
    return "" if len(isr) == 3 else (
        f"in the end only brokers {', '.join(map(str, isr))} are in sync.")


# -- what is judged ----------------------------------------------------------------------------
def explain(case: Case, given: Outcome) -> str:
    """What the first decision did that was not Kafka's, and what came of it."""
    wrong = next((cut for cut in given.cuts if cut.given != cut.right), None)
    if wrong is None:
        return given.broken
    after = f"Then: {given.broken}" if given.broken else \
        "Nothing broke this time: this follower was not the next to lead."
    return f"{_decision(wrong)} {after}"


def _decision(cut: Cut) -> str:
    """A decision that differs from Kafka's, in a sentence or two."""
    own_epoch, own_end = cut.own
    told = f"The leader said that epoch {cut.epoch} ends at {cut.end_offset}"
    mine = (f"the follower's ends at {own_end}" if own_epoch == cut.epoch else
            f"the follower never had that epoch: what it has before it, epoch {own_epoch}, ends at "
            f"{own_end}")
    kept = f"cut_to() gave {cut.given}"
    if cut.given > cut.right:
        return (f"{told}; {mine}. {kept}, so records from {cut.right} on stay that the leader does "
                f"not have.")
    mark = ", its high watermark" if cut.given == cut.high_watermark else ""
    gone = cut.right - cut.given
    go = "record goes" if gone == 1 else "records go"
    return f"{told}; {mine}. {kept}{mark}, so {gone} {go} that both have."


def _cases() -> tuple[Case, ...]:
    found = [make(seed) for make, seeds in SEEDS for seed in seeds]
    return tuple(Case(f"a schedule of {len(steps)} steps", (steps,), None, len(steps))
                 for steps in (*found, CROSSED))


@cache
def truncation() -> Exercise:
    """The exercise: `cut_to(epoch, end_offset, high_watermark, log_end_offset, end_offset_for)`."""
    return Exercise("cut_to", _cases(), Outcome, "an offset", explain, _film, SOLUTION, PRAISE,
                    decided, lambda case, given: not given.broken, bounds_itself=True)


def _film(case: Case, given: Outcome | None) -> Any:
    """The schedule up to what broke."""
    return None if given is None else given.cluster.film(replication_view, str(PARTITION))


def grade_truncation(cut_to: Callable[..., int]) -> Verdict:
    """Grade a reader's `cut_to`. It is asked for each new leader, and again until it cuts nothing.

    `end_offset_for(e)` gives (the follower's highest epoch not above `e`, where that ends). Who
    breaks nothing is asked about each decision, too: luck is no rule.
    """
    played: dict[tuple[Step, ...], Called] = {}

    def once(answer: Callable, steps: tuple[Step, ...], rounds: int) -> Called:
        if steps not in played:
            played[steps] = decided(answer, steps, rounds)
        return played[steps]

    exercise = truncation()._replace(ask=once)
    verdict = grade(cut_to, exercise)
    return grade(cut_to, exercise._replace(accepts=_by_rule)) if verdict.passed else verdict


def _by_rule(_: Case, given: Outcome) -> bool:
    return all(cut.given == cut.right for cut in given.cuts)
