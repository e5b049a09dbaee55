"""What Kafka's own tools printed of one broker: the excerpts of the course, and our engine beside.

Nothing here needs a broker. The numbers of a run are its own; what is held is how they belong
together, which names Kafka gives, and what our engine makes of the same input.
"""

import json
import re
from types import SimpleNamespace

import pytest

from kafka_internals.clients.built_in_partitioner import partition_for_key
from kafka_internals.clients.kafka_consumer import KafkaConsumer
from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.config.broker_config import BROKER_CONFIG
from kafka_internals.config.consumer_config import CONSUMER_CONFIG
from kafka_internals.config.producer_config import PRODUCER_CONFIG
from kafka_internals.config.topic_config import TOPIC_CONFIG
from kafka_internals.course import recorded
from kafka_internals.errors import ConfigException
from kafka_internals.record_batch import RECORD_BATCH_OVERHEAD, RecordBatch, encode
from tests.golden.recorder import console, replication, tools

TOLD = tools.recorded(console.STORED)
EXCERPTS = console.excerpts(console.STORED)
REQUESTS = [json.loads(line.removeprefix("Completed request:"))
            for line in TOLD["requests"].splitlines()]
PRODUCES, FETCHES = ([one for one in REQUESTS if one["requestHeader"]["requestApiKeyName"] == name]
                     for name in ("PRODUCE", "FETCH"))
STATIONS = ("requestQueueTimeMs", "localTimeMs", "remoteTimeMs", "throttleTimeMs",
            "responseQueueTimeMs", "sendTimeMs")
ROUNDED_MS = 0.0005


def _records_bytes(fetch: dict) -> int:
    return sum(partition["recordsSizeInBytes"] for topic in fetch["response"]["responses"]
               for partition in topic["partitions"])


# -- the excerpts -----------------------------------------------------------------------------
def test_the_excerpts_are_cut_from_the_recordings():
    assert {name: recorded.printed(name) for name in recorded.NAMES} == \
        EXCERPTS | replication.excerpts(replication.STORED)


@pytest.mark.parametrize("name", [one for one in EXCERPTS if not one.startswith("request")])
def test_each_line_of_an_excerpt_was_printed_in_that_order_below_that_command(name):
    lines = iter(TOLD[name.removesuffix("-others")].splitlines())
    assert recorded.printed(name).startswith("$ kafka-")
    for line in recorded.printed(name).splitlines():
        assert line in lines, line


@pytest.mark.parametrize("name, stored", [("request-produce", PRODUCES),
                                          ("request-fetch", FETCHES)])
def test_a_request_lost_only_the_fields_that_say_who_spoke(name, stored):
    shown = json.loads(recorded.printed(name).removeprefix("Completed request:"))
    whole = [list((key, value) for key, value in one.items() if key not in console.WHO)
             for one in stored]
    assert list(shown.items()) in whole


def test_a_text_that_was_not_recorded_is_refused_by_name_and_values_are_found_by_theirs():
    with pytest.raises(KeyError, match="nothing was recorded as 'dump'; there is configs, dump"):
        recorded.printed("dump")
    assert recorded.values("dump-log") == {}
    assert recorded.values("metrics-broker")[
        "kafka.network:type=RequestChannel,name=RequestQueueSize:Value"] == "0"


@pytest.mark.parametrize("name", TOLD)
def test_a_recording_is_small_and_tells_nothing_of_its_machine(name):
    assert len(TOLD[name]) < 20_000
    assert not re.search(r"/tmp|/usr|recorder", TOLD[name])
    assert set(re.findall(r"localhost:(\d+)", TOLD[name])) <= {"9092", "9999", "9998", "9997"}


# -- what a reader may say of them ------------------------------------------------------------
def test_the_dumped_batches_are_byte_for_byte_those_of_our_engine():
    dumped = re.findall(
        r"baseOffset: (\d+) .* baseSequence: (\d+) .* producerId: (\d+) .* size: (\d+) .*"
        r" crc: (\d+) .*\n((?:\| .*\n)+)", TOLD["dump-log"])
    assert len(dumped) == len(console.SENT)
    for (offset, sequence, producer, size, crc, records), sent in zip(dumped, console.SENT):
        found = re.findall(r"CreateTime: (\d+) .* key: (\w+) payload: (\w+)", records)
        assert "".join(f"{key}:{value}\n" for _, key, value in found) == sent
        ours = RecordBatch(encode(
            [(int(time), key.encode(), value.encode(), ()) for time, key, value in found],
            base_offset=int(offset), producer_id=int(producer), producer_epoch=0,
            base_sequence=int(sequence)))
        assert (ours.size, ours.header.crc) == (int(size), int(crc))


def test_stations_add_up_to_the_total_but_for_rounding():
    for one in REQUESTS:
        assert abs(one["totalTimeMs"] - sum(map(one.get, STATIONS))) < \
            (len(STATIONS) + 1) * ROUNDED_MS


def test_a_produce_of_one_replica_does_not_wait_and_a_fetch_at_the_end_does_until_it_is_fed():
    assert [(one["requestHeader"]["requestApiVersion"], one["request"]["acks"],
             one["remoteTimeMs"]) for one in PRODUCES] == [(13, -1, 0)] * 3
    first, *later = FETCHES
    assert _records_bytes(first) == 75 + 92 and first["remoteTimeMs"] == 0
    fed = [one for one in later if _records_bytes(one)]
    assert [_records_bytes(one) for one in fed] == [109]
    assert all(0 < one["remoteTimeMs"] < 500 for one in fed)
    assert all(one["totalTimeMs"] >= 500 for one in later if one not in fed)


def test_a_producer_counts_whole_batches_and_a_consumer_records_without_their_batch_headers():
    def metric(whose: str, name: str) -> float:
        return float(re.search(rf":{name}=(.*)", TOLD[f"metrics-{whose}"])[1])
    sizes = [int(size) for size in re.findall(r" size: (\d+)", TOLD["dump-log"])]
    assert metric("producer", "batch-size-avg") == sum(sizes) / 3
    assert metric("producer", "record-size-avg") * 6 > sum(sizes)   # as if each went alone
    assert metric("consumer", "bytes-consumed-total") == \
        sum(sizes) - len(sizes) * RECORD_BATCH_OVERHEAD
    assert [metric(whose, "records-per-request-avg") for whose in ("producer", "consumer")] == \
        [6 / 3, 6 / 2]


@pytest.mark.parametrize("whose", ["producer", "consumer"])
def test_a_client_of_ours_shows_its_metrics_under_names_that_a_real_one_shows(whose):
    real = set(re.findall(r":type=([\w-]+),client-id=[^,:]+:([\w-]+)=", TOLD[f"metrics-{whose}"]))
    core = {"producer": KafkaProducer, "consumer": KafkaConsumer}[whose]
    config = {"producer": PRODUCER_CONFIG, "consumer": CONSUMER_CONFIG}[whose].parse({})
    ours = {(name.group, name.name) for name in core("me", (1,), config, lambda _: None).metrics(0)}
    assert ours - real == {"producer": set(), "consumer": {
        ("consumer-metrics", "requests-in-flight")}}[whose]


def test_completed_operations_stay_among_the_watched_ones_until_a_purge_or_a_check():
    purgatory = "kafka.server:type=DelayedOperationPurgatory,name={},delayedOperation=Fetch:Value"
    found = recorded.values("metrics-broker")
    delayed, watched = (int(found[purgatory.format(name)])
                        for name in ("NumDelayedOperations", "PurgatorySize"))
    assert 1 == delayed <= watched


def test_defaults_and_the_refused_segment_size_are_those_of_our_engine():
    def same(ours) -> str:
        return {"-1": "all", "False": "false", "None": "null"}.get(str(ours), str(ours))
    found, compared = recorded.values("configs"), {}
    for definition, keys in ((PRODUCER_CONFIG, "producer"), (CONSUMER_CONFIG, "consumer"),
                             (BROKER_CONFIG, "brokers"), (TOPIC_CONFIG, "topics")):
        ours = definition.parse({})
        compared |= {key: same(ours[key]) for key in console.DEFAULTS[keys] if key in ours}
    differing = {key for key, value in compared.items() if value != found[key]}
    # Our producer is not idempotent yet; the topic was given an index entry every 100 bytes.
    assert differing <= {"enable.idempotence", "index.interval.bytes"}
    assert len(compared) > 15
    with pytest.raises(ConfigException) as refused:
        TOPIC_CONFIG.parse({"segment.bytes": 500})
    assert TOLD["configs"].endswith(f"executing topic command : {refused.value}\n")


def test_keys_lie_where_our_engine_puts_them_before_and_after_the_topic_grew():
    read = re.findall(r"Partition:(\d)\tOffset:(\d)\t(\w+)\t(\w+)", TOLD["growth"])
    placed = {f"{key}:{value}": int(partition) for partition, _, key, value in read}
    assert placed == {line: partition_for_key(line.partition(":")[0].encode(), partitions)
                      for lines, partitions in zip(console.GROWTH, (3, 4)) for line in lines}
    assert placed["18:created"] != placed["18:paid"]
    values = [value for *_, key, value in read if key == "18"]
    assert values == ["paid", "created"]                # what module 1 shows: the wrong way round


# -- the recorder without a broker ------------------------------------------------------------
def test_only_ports_of_this_machine_become_plain_ones():
    text = 'localhost:40001 "sizeInBytes":75, jndi/rmi://localhost:40002/jmxrmi 127.0.0.1:50123-2'
    assert tools.plain(text, {40_001: 9092, 40_002: 9997}) == (
        'localhost:9092 "sizeInBytes":75, jndi/rmi://localhost:9997/jmxrmi 127.0.0.1:50123-2')


def test_a_path_begins_in_the_folder_of_the_commands_and_a_filter_is_typed_behind_its_command(
        tmp_path):
    (tmp_path / "told").write_text(f"{tmp_path}/broker-1:40001\n40001\n")
    at_work = tools.Tools(tmp_path, {40_001: 9091})
    assert at_work.looked("cat told") == "$ cat told\nbroker-1:9091\n40001\n"
    assert tools.shortened("$ a\nx=1\ny=2\n# b\n$ c\ny=3\n", "y=") == "$ a\ny=2\n# b\n$ c\ny=3\n"
    assert tools.settings("$ a\n  y=2 more\n  x=1\n  z=3\n", ("x", "y")) == "$ a\nx=1\ny=2 more\n"


def test_a_consumer_that_ends_early_is_told():
    class Consumer:
        stdout = SimpleNamespace(readline=iter(["a hint\n", "ada:paid\n", ""]).__next__)
    with pytest.raises(AssertionError, match="ended before it had read all"):
        console.until_read(Consumer, 2)


@pytest.mark.parametrize("recorder", [console, replication])
def test_without_kafkas_tools_the_command_names_the_error_and_ends_with_2(
        recorder, capsys, monkeypatch):
    monkeypatch.setattr(tools, "ABSENT", "there is no Java on the PATH")
    assert recorder.main([]) == 2
    assert capsys.readouterr().err == "BrokerUnavailable: there is no Java on the PATH\n"
