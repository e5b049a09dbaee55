"""Three shops that want different things of their producer: a config for each, graded by runs.

The checkout has few records and a customer who waits. The clickstream has many, and one slow
broker. The bank may not lose, double or reorder a payment. Each config is run with three seeds, and
the worst run counts. For order there is a run of its own, in which the way to the leader, and then
the way back, is cut for a moment, so that requests and answers are lost and retries happen.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.course.exercise import Verdict
from kafka_internals.course.tuning import LAB_COST, lab_cluster, parsed, tuned
from kafka_internals.errors import ConfigException
from kafka_internals.viz.tuning_chart import LATENCY, QUEUED, Tuned

SEEDS = (7, 8, 9)
KEYS = ("linger_ms", "batch_size", "compression_type", "acks",
        "max_in_flight_requests_per_connection", "enable_idempotence")
PAYMENTS, CUT_MS, REQUEST_TIMEOUT_MS, WAIT_MS = 60, 6, 300, 5_000
ENOUGH = 0.85                               # less than that of what arrives: a queue that grows
HELD_MS = 2                                 # a batch is late by more than a tick
BUSY = 0.7                                  # so much of the link: it is what is narrow


class Shop(NamedTuple):
    """What a shop wants; None where it does not care. `safe`: acknowledged by every in-sync
    replica. `orderly`: each record once and in order, whatever the network does."""

    name: str
    records_per_s: int
    p99_ms: float
    requests_per_s: int | None
    safe: bool
    orderly: bool
    solution: dict[str, Any]

    def __repr__(self) -> str:
        wants = [f"99 of 100 records answered within {self.p99_ms:g} ms"]
        if self.requests_per_s:
            wants.append(f"at most {self.requests_per_s} requests a second")
        if self.safe:
            wants.append("acknowledged means: on every in-sync replica")
        if self.orderly:
            wants.append("each record once and in order, also when requests and answers are lost")
        return f"The {self.name}, {self.records_per_s:,} records a second: {'; '.join(wants)}."


SHOPS = {shop.name: shop for shop in (
    Shop("checkout", 200, 5, None, True, False, {"linger_ms": 0}),
    Shop("clickstream", 16_000, 100, 200, False, False,
         {"linger_ms": 50, "batch_size": 65_536, "compression_type": "zstd"}),
    Shop("bank", 8_000, 11, None, True, True, {"compression_type": "zstd"}))}


def grade_shop(name: str, config: dict[str, Any] | None) -> Verdict:
    """Run a config for one of `SHOPS`: what was reached, or which wish was missed, and by how much.

    `config` has some of `KEYS`, Kafka's defaults for the rest; None is "not attempted". Errors:
    ValueError for a shop that there is not.
    """
    if name not in SHOPS:
        raise ValueError(f"there is no shop {name!r}; there is {', '.join(SHOPS)}")
    shop = SHOPS[name]
    if config is None:
        return Verdict(None, f"Not attempted yet: {name} is None. {shop!r}")
    if refused := _refused(config):
        return Verdict(False, f"The {name}: {refused}")
    config = parsed(config)
    runs = [tuned(shop.records_per_s, seed, **config) for seed in SEEDS]
    for judge in (_answers, _throughput, _latency, _requests, _copies, _order):
        if missed := judge(shop, runs, config):
            return Verdict(False, f"The {name}: {missed}", solution=_code(shop))
    return Verdict(True, f"The {name} is content. {_reached(shop, runs)}", solution=_code(shop))


def _refused(config: Any) -> str:
    """Why a config cannot be run; empty where it can."""
    if not isinstance(config, dict):
        return f"a config is a dict such as dict(linger_ms=0), not {config!r}."
    if unknown := [key for key in config if key not in KEYS]:
        return f"{unknown[0]!r} is none of its settings; they are {', '.join(KEYS)}."
    try:
        parsed(config)
    except ConfigException as error:
        return f"Kafka refuses this config. {error}"
    return ""


def _code(shop: Shop) -> str:
    told = ", ".join(f"{name}={value!r}" for name, value in shop.solution.items())
    return f"{shop.name} = dict({told})"


def _worst(runs: list[Tuned], of: Callable[[Tuned], float]) -> Tuned:
    return max(runs, key=of)


def _answers(shop: Shop, runs: list[Tuned], config: dict) -> str:
    if config.get("acks") != "0":
        return ""
    return ("with acks=0 no record is answered, so nobody can say how many arrive, or when. Look "
            "at acks.")


def _throughput(shop: Shop, runs: list[Tuned], config: dict) -> str:
    worst = _worst(runs, lambda run: -run.records_per_s)
    if worst.records_per_s >= ENOUGH * shop.records_per_s:
        return ""
    return (f"{shop.records_per_s:,} records arrive in a second and {worst.records_per_s:,.0f} are "
            f"answered, {shop.records_per_s - worst.records_per_s:,.0f} too few, so the queue "
            f"grows for ever. {_narrow(worst)}")


def _narrow(run: Tuned) -> str:
    """Where a run that cannot keep up is narrow: the link, or what its connections can do."""
    if _link_busy(run) > BUSY:
        return (f"Look at the link: {run.wire_kib_per_s:,.0f} KiB a second keep it busy "
                f"{_link_busy(run) * 100:.0f} % of the time. Fewer bytes?")
    return (f"Look at records-per-request-avg, {dict(run.metrics)['records-per-request-avg']:.1f}: "
            f"a connection has its requests answered one after the other, and "
            f"{run.requests_per_s:,.0f} a second is all that four of them can do. Fewer requests?")


def _link_busy(run: Tuned) -> float:
    return run.wire_kib_per_s * LAB_COST.link_us_per_kib / 1_000_000


def _latency(shop: Shop, runs: list[Tuned], config: dict) -> str:
    worst = _worst(runs, lambda run: run.p99_ms)
    if worst.p99_ms <= shop.p99_ms:
        return ""
    return (f"99 of 100 records are answered within {worst.p99_ms:.1f} ms, "
            f"{worst.p99_ms - shop.p99_ms:.1f} more than the {shop.p99_ms:g} that it allows. Look "
            f"at the metrics: {_slow(worst, config.get('linger_ms', 5))}")


def _slow(run: Tuned, linger_ms: int) -> str:
    """Where the records of a run pass their time."""
    queued, latency = (dict(run.metrics)[name] for name in (QUEUED, LATENCY))
    if queued > linger_ms + HELD_MS:
        return (f"{QUEUED} is {queued:.1f} ms, more than the {linger_ms} of linger.ms: batches "
                f"wait until a request in flight is answered.")
    if latency >= queued:
        what = "the link is full: too many bytes" if _link_busy(run) > BUSY else \
            "too many requests, or too many bytes"
        return f"{LATENCY} is {latency:.1f} ms, so most of it passes after the producer: {what}."
    return f"{QUEUED} is {queued:.1f} ms, so most of it passes in the producer: linger.ms."


def _requests(shop: Shop, runs: list[Tuned], config: dict) -> str:
    worst = _worst(runs, lambda run: run.requests_per_s)
    if shop.requests_per_s is None or worst.requests_per_s <= shop.requests_per_s:
        return ""
    size, limit = dict(worst.metrics)["batch-size-avg"], config.get("batch_size", 16_384)
    where = (f"{size:,.0f} of {limit:,} bytes, so batches leave because they are full: batch.size"
             if size > 0.7 * limit else
             f"{size:,.0f} of {limit:,} bytes, so batches leave before they are full: linger.ms")
    return (f"{worst.requests_per_s:,.0f} requests a second, "
            f"{worst.requests_per_s - shop.requests_per_s:,.0f} more than the "
            f"{shop.requests_per_s} that it allows. Look at batch-size-avg: {where}.")


def _copies(shop: Shop, runs: list[Tuned], config: dict) -> str:
    worst = _worst(runs, lambda run: run.leader_only)
    if not shop.safe or not worst.leader_only:
        return ""
    return (f"{worst.leader_only} records were acknowledged before every in-sync replica had them. "
            f"If the leader dies then, they are gone, and the shop believes they are safe. Look at "
            f"acks.")


def _order(shop: Shop, runs: list[Tuned], config: dict) -> str:
    if not shop.orderly:
        return ""
    for what, answers in (("requests", False), ("answers", True)):
        log = payments_in_the_log(config, answers)
        for at, (one, after) in enumerate(zip(log, log[1:])):
            if after <= one:
                again = "once more" if after in log[:at + 1] else "for the first time"
                return (f"{what} were lost for {_cut_ms(config)} ms, and the log holds payment "
                        f"{after} behind payment {one}, {again}. Look at enable.idempotence: a "
                        f"retry has to be known as a retry.")
    return ""


def _cut_ms(config: dict) -> int:
    return CUT_MS + 2 * config.get("linger_ms", 5)


def payments_in_the_log(config: dict[str, Any], answers: bool) -> list[int]:
    """Numbered payments, one a ms, with the network cut for a moment: what the leader's log holds.

    Lost are the `answers`, or the requests.
    """
    cluster = lab_cluster()
    payer = cluster.producer(**config, request_timeout_ms=REQUEST_TIMEOUT_MS)
    payer.send("orders", "first", partition=0).get()
    for number in range(PAYMENTS):
        if number == PAYMENTS // 3:
            cluster.cut(*(("broker-1", payer) if answers else (payer, "broker-1")))
        if number == PAYMENTS // 3 + _cut_ms(config):
            cluster.heal()
        payer.send("orders", str(number), partition=0)
        cluster.run(ms=1)
    cluster.heal()
    cluster.run(ms=WAIT_MS)
    return [int(record.value) for record in cluster.log("orders-0", 1)[1:]]


def _reached(shop: Shop, runs: list[Tuned]) -> str:
    slow = _worst(runs, lambda run: run.p99_ms)
    many = _worst(runs, lambda run: run.requests_per_s)
    return (f"99 of 100 records are answered within {slow.p99_ms:.1f} ms, with "
            f"{many.requests_per_s:,.0f} requests a second"
            + ", each payment once and in order" * shop.orderly + ".")
