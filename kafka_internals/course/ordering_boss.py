"""The boss of module 1: place records so that nobody ever reads one order's events out of order.

A case is a history of a shop: events of some orders, mixed by the dice of a seed, and perhaps a
partition that is added while they are sent. What is judged is where the events lie: order holds
within a partition and nowhere else, so an order whose events lie in two can be read the wrong way
round, and the film shows a consumer that does. One case more asks that the work is shared.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from kafka_internals.course.exercise import Case, Exercise, Verdict, grade
from kafka_internals.course.ordering_film import ordering_film
from kafka_internals.sim.world import World

TOPIC, BORN_WITH, SIZES = "orders", 3, range(2, 12)
STEPS = ("created", "paid", "packed", "shipped")
MANY, LEAST_SHARE = 300, 0.2
SOLUTION = '''\
def place(topic, key, value, partitions):
    return crc32(key.encode()) % 3          # 3: as many as the topic was born with, for ever
'''
SALTED = ("hash() of a text is another number in every process of Python: a producer that is "
          "started again would put an order's next event elsewhere. Take murmur2 or crc32.")
PRAISE = ("Each order stays where it began. The price: a partition that is added later gets no "
          "order at all, so choose their number for the years to come, or begin a new topic.")


class Event(NamedTuple):
    """One record: the order it is of (its key), what happened, and how many partitions there are.
    """

    order: str
    step: str
    partitions: int


class History(NamedTuple):
    """Events as they are sent. `grows_at`: the first that finds more partitions, None for never."""

    events: tuple[Event, ...]
    grows_at: int | None

    @property
    def partitions(self) -> int:
        """How many there are in the end."""
        return self.events[-1].partitions


def placed(place: Callable, history: History) -> list | None:
    """Where an answer puts each event; None where it gives nothing for the first."""
    found = []
    for event in history.events:
        found.append(place(TOPIC, event.order, event.step, event.partitions))
        if found == [None]:
            return None
    return found


# -- the histories -----------------------------------------------------------------------------
def history(seed: int, events: int, grows: bool) -> History:
    """Some orders, each from "created" on, mixed by the dice; perhaps a partition more midway."""
    draw = World(seed).draw("boss", "orders")
    numbers = [str(100 + draw(900)) for _ in range(max(1, events // 3))]
    steps, told = Counter(), []
    grows_at = 1 + draw(events - 1) if grows else None
    for at in range(events):
        order = numbers[draw(len(numbers))]
        partitions = BORN_WITH + 1 + draw(3) if grows_at == at else \
            told[-1].partitions if told else BORN_WITH
        told.append(Event(f"order-{order}", STEPS[min(steps[order], 3)], partitions))
        steps[order] += 1
    return History(tuple(told), grows_at)


def _cases() -> Iterator[Case]:
    for size in SIZES:
        for seed in range(size * 100, size * 100 + 4):
            for grows in (False, True):
                one = history(seed, size, grows)
                more = f", and {one.partitions} partitions in the end" if grows else ""
                yield Case(f"{size} events{more}", (one,), None, size, one)
    crowd = History(tuple(Event(f"order-{number}", "created", BORN_WITH)
                          for number in range(MANY)), None)
    yield Case(f"{MANY} orders", (crowd,), None, MANY, crowd)


# -- what is judged ----------------------------------------------------------------------------
def is_partition(given: Any, partitions: int) -> bool:
    """A number that a partition of the topic has."""
    return type(given) is int and 0 <= given < partitions


def parted(one: History, given: list) -> tuple[int, int] | None:
    """The first two events of one order that lie in different partitions, by their places."""
    began: dict[str, int] = {}
    for at, event in enumerate(one.events):
        first = began.setdefault(event.order, at)
        if given[at] != given[first]:
            return first, at
    return None


def _accepts(case: Case, given: list) -> bool:
    one: History = case.about
    if not all(is_partition(number, event.partitions)
               for number, event in zip(given, one.events)):
        return False
    if len(one.events) == MANY and min(Counter(given)[n] for n in range(BORN_WITH)) \
            < LEAST_SHARE * MANY:
        return False
    return parted(one, given) is None


def explain(case: Case, given: list) -> str:
    """One sentence on what these places would do to a reader, or to the cluster."""
    one: History = case.about
    for number, event in zip(given, one.events):
        if not is_partition(number, event.partitions):
            return (f"place() gave {number!r} for {event.order}; the topic has {event.partitions} "
                    f"partitions, 0 to {event.partitions - 1}.")
    if (pair := parted(one, given)) is not None:
        return _out_of_order(one, given, *pair)
    shares = [Counter(given)[number] for number in range(BORN_WITH)]
    idle = sum(share < LEAST_SHARE * MANY for share in shares)
    return (f"the partitions get {', '.join(map(str, shares))} of {MANY} orders: nobody reads out "
            f"of order, and {idle} of {BORN_WITH} consumers would have little or nothing to do.")


def _out_of_order(one: History, given: list, first: int, at: int) -> str:
    before, event = one.events[first], one.events[at]
    why = (f" In between the topic grew from {before.partitions} to {event.partitions} partitions."
           if before.partitions != event.partitions else "")
    return (f"{event.order} was {before.step!r} in partition {given[first]} and {event.step!r} in "
            f"partition {given[at]}: who reads partition {given[at]} first sees "
            f"{event.step!r} before {before.step!r}.{why}")


@cache
def ordering() -> Exercise:
    """The exercise: `place(topic, key, value, partitions)` gives a partition's number."""
    return Exercise("place", tuple(_cases()), list, "a list of partitions", explain, _film,
                    SOLUTION, PRAISE, placed, _accepts)


def _film(case: Case, given: list | None) -> Any:
    """The history in a cluster, and a consumer that meets it the wrong way round."""
    one: History = case.about
    if given is None or not all(is_partition(number, event.partitions)
                                for number, event in zip(given, one.events)):
        return None
    pair = parted(one, given)
    return None if pair is None else ordering_film(one, given, *pair)


def grade_ordering(place: Callable[[str, str, str, int], int]) -> Verdict:
    """Grade a reader's `place(topic, key, value, partitions)`."""
    if "hash" in getattr(getattr(place, "__code__", None), "co_names", ()):
        return Verdict(False, SALTED, solution=SOLUTION)
    return grade(place, ordering())
