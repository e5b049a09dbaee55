"""Tuning a producer: runs of one small cluster under six settings, and what came of each.

Four applications send records of 1,000 bytes at a steady rate to one partition with three replicas.
Its leader has one handler thread, and one network thread that reads a link of 100 Mbit/s. A codec
is a row of the cost model: what an application sends is as small as the table says, its thread is
busy for the time that packing takes, and a handler for the time that unpacking takes. So bytes and
times are the same on every machine, whatever its libraries do.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CODECS, CodecCost, CostModel
from kafka_internals.cluster.handles import Producer
from kafka_internals.common import TopicPartition
from kafka_internals.config.producer_config import PRODUCER_CONFIG
from kafka_internals.sim.journal import Journal
from kafka_internals.storage.file_records import whole_batches
from kafka_internals.viz.tuning_chart import Tuned, Tuning

ORDERS = TopicPartition("orders", 0)
APPLICATIONS, RECORD_BYTES, RATE = 4, 1_000, 8_000
LEAST_MS, MOST_MS, LEAST_RECORDS, LINGERS, SETTLE_MS = 100, 400, 200, 4, 50
LAB_COST = CostModel(handle_us=200, link_us_per_kib=82, codecs=CODECS)
NOT_PACKED = CodecCost("none", 100, 0, 0)
ONE_THREAD = {"num.io.threads": 1, "num.network.threads": 1}
MEASURED = ("record-queue-time-avg", "request-latency-avg", "batch-size-avg",
            "records-per-request-avg")


def tuned(records_per_s: int = RATE, seed: int = 7, **configs: Any) -> Tuned:
    """One run: records arrive at this rate for 100 ms, or longer: until there were 200 of them, and
    for four times `linger.ms`, but for 400 ms at most.

    `configs` are the producers', by Kafka's names with `_` for `.`; Kafka's defaults otherwise.
    Errors: ConfigException as for `cluster.producer`.
    """
    return _tuned(records_per_s, seed, tuple(
        (name, value) for name, value in sorted(parsed(configs).items())
        if not _is_default(name, value)))


def parsed(configs: dict[str, Any]) -> dict[str, Any]:
    """A producer's configs with their values as Kafka reads them: "5" is 5. ConfigException."""
    PRODUCER_CONFIG.parse(configs)
    return {name: PRODUCER_CONFIG.key(name).parse(value) for name, value in configs.items()}


def tuning(setting: str, values: Iterable[Any], **others: Any) -> Tuning:
    """`tuned` for each value of one setting (as `linger_ms`, or `records_per_s`)."""
    values = tuple(values)
    runs = tuple(tuned(**{**others, setting: one}) for one in values)
    return Tuning(setting_name(setting), values, runs, LAB_COST)


def setting_name(setting: str) -> str:
    """What Kafka calls a setting; the arrival rate is none of Kafka's."""
    return "records a second that arrive" if setting == "records_per_s" \
        else setting.replace("_", ".")


def _is_default(name: str, value: Any) -> bool:
    """Whether a setting changes nothing. To ask for idempotence does: it may be refused then."""
    return value == PRODUCER_CONFIG.key(name.replace("_", ".")).default \
        and name != "enable_idempotence"


@lru_cache(maxsize=512)
def _tuned(records_per_s: int, seed: int, given: tuple) -> Tuned:
    configs = dict(given)
    codec = next((one for one in CODECS if one.name == configs.get("compression_type")), NOT_PACKED)
    cluster = lab_cluster(codec, seed)
    senders = _warm(cluster, configs)
    for_ms = min(max(LEAST_MS, LINGERS * configs.get("linger_ms", 0)), MOST_MS)
    count = max(LEAST_RECORDS, records_per_s * for_ms // 1000)
    before, began_us = _batches(cluster), cluster.machine.world.now_us
    value, answered = b"x" * (RECORD_BYTES * codec.percent // 100), []
    watched = [Watched(cluster, one, answered) for one in senders]
    for due_us, sender, arrived_us in _due(count, records_per_s, codec):
        cluster.machine.world.run_to(began_us + due_us)
        watched[sender].send(value, began_us + arrived_us)
    for one in senders:
        one.flush()
    cluster.run(ms=SETTLE_MS)                       # with acks=0 some of it is still on its way
    return _summed(records_per_s, answered, _batches(cluster)[len(before):], senders, codec)


def lab_cluster(codec: CodecCost = NOT_PACKED, seed: int = 7) -> Cluster:
    """Three brokers and the topic "orders", one partition. What a handler does for a KiB on the
    wire it does for all that was packed into it. Nobody asks why: it keeps no trace."""
    each_us = LAB_COST.validate_us_per_kib + codec.unpack_us_per_kib
    cost = LAB_COST._replace(validate_us_per_kib=each_us * 100 // codec.percent)
    cluster = Cluster(brokers=3, seed=seed, cost=cost, configs=ONE_THREAD).again(
        journal=Journal(), traced=False)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    return cluster


def _warm(cluster: Cluster, configs: dict[str, Any]) -> list[Producer]:
    """Producers that know the topic and have their ids. They do not pack: their records are small
    already."""
    senders = [cluster.producer(**{**configs, "compression_type": "none"})
               for _ in range(APPLICATIONS)]
    for receipt in [one.send("orders", "first", partition=0) for one in senders]:
        receipt.get()
    cluster.run(ms=SETTLE_MS)
    return senders


def _due(count: int, records_per_s: int, codec: CodecCost) -> list[tuple[int, int, int]]:
    """(when a record is packed, which application, when it arrived) in us, in the order in which
    they are packed. A thread packs one record after the other."""
    pack_us, free_us, due = RECORD_BYTES * codec.pack_us_per_kib // 1024, [0] * APPLICATIONS, []
    for number in range(count):
        sender, arrived_us = number % APPLICATIONS, number * 1_000_000 // records_per_s
        free_us[sender] = max(arrived_us, free_us[sender]) + pack_us
        due.append((free_us[sender], sender, arrived_us))
    return sorted(due)


class Watched:
    """A producer, called as it is and not by its handle: who only measures keeps no journal.

    `answered` is told of each record that ends: when, how long it took, and whether every in-sync
    replica had it then.
    """

    def __init__(self, cluster: Cluster, sender: Producer, answered: list) -> None:
        self._machine, self._name, self._answered = cluster.machine, sender.name, answered
        self._core = self._machine.core(sender.name)
        self._leader = self._machine.brokers[1].manager.partitions[ORDERS]
        self._arrived_us: dict[str, int] = {}
        self._told = len(self._core.completed)
        self._machine.clients[sender.name].after.append(self._look)

    def send(self, value: bytes, arrived_us: int) -> None:
        """Hand over a record that has arrived some time ago."""
        self._arrived_us[f"{self._name}#{len(self._core.records) + 1}"] = arrived_us
        self._machine.call(self._name, "send", ORDERS.topic, None, value, (), ORDERS.partition,
                           None)

    def _look(self) -> None:
        now_us, ended = self._machine.world.now_us, self._core.completed
        for record in ended[self._told:]:
            self._answered.append((now_us, now_us - self._arrived_us[record.subject],
                                   record.error is None
                                   and self._leader.high_watermark > record.offset >= 0))
        self._told = len(ended)


def _batches(cluster: Cluster) -> list[int]:
    """The bytes of each batch in the leader's log."""
    disk = cluster.machine.world.nodes["broker-1"].disk
    return [batch.size for batch in whole_batches(disk, ORDERS)]


def _summed(records_per_s: int, answered: list, batches: list[int], senders: list[Producer],
            codec: CodecCost) -> Tuned:
    count, took_us = len(answered), sorted(us for _, us, _ in answered)
    first, last = answered[0][0], answered[-1][0]
    later = sum(at > first for at, _, _ in answered)
    done_per_s = min(records_per_s, later * 1_000_000 / (last - first))
    metrics = [{key.name: value for key, value in one.metrics().items() if len(key.tags) == 1}
               for one in senders]                  # once each; of all nodes and topics together
    told = {name: sum(one[name] for one in metrics) / APPLICATIONS for name in MEASURED}
    return Tuned(
        sum(took_us) / count / 1000, took_us[count * 99 // 100 - 1] / 1000, records_per_s,
        done_per_s, done_per_s * len(batches) / count, done_per_s * sum(batches) / count / 1024,
        records_per_s * RECORD_BYTES * codec.pack_us_per_kib / 1024 / APPLICATIONS / 10_000,
        sum(not everywhere for _, _, everywhere in answered),
        (*told.items(), ("compression-rate-avg", codec.percent / 100)))
