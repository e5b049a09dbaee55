"""The command: python -m tests.golden.recorder.console [--out DIR], what Kafka's own tools print.

One broker with the request logger at DEBUG; topic `orders` with one partition and an index entry
every 100 bytes. kafka-console-producer sends two batches, with the linger and the time limit that a
producer has by default; kafka-console-consumer reads them and waits at the end of the log until a
third one comes. kafka-jmx then asks the broker and both clients; another topic, `events`, grows by
a partition between two batches and is read from its beginning; and after an orderly stop
kafka-dump-log reads the files. The defaults are lines of kafka-configs, and for clients what the
pages say that the config classes print. Each recording opens with the command that printed it.
Ports become those of a plain installation; all else stands as it was. What notebooks show of it is
cut out by `excerpts`.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden.cases import GOLDEN
from tests.golden.recorder import tools
from tests.golden.recorder.broker import JARS, Broker, free_ports

STORED, TOPIC = GOLDEN / "broker", "orders"
SENT = ("ada:paid\n", "lin:paid\nada:shipped\n", "lin:shipped\nada:paid\nada:shipped\n")
GROWTH = ("17:created", "18:created", "17:paid"), ("18:paid",)
# Kafka's rates are of the last 30 s, also on a broker that is younger: it would look busy.
WARM_UP_S, A_WHILE_S, HALF_A_WAIT_S, WHOLE = 65, 3, 0.25, 1 << 24
MBEANS = {
    "broker": ("kafka.network:type=RequestChannel,name=*QueueSize",
               "kafka.network:type=SocketServer,name=NetworkProcessorAvgIdlePercent",
               "kafka.server:type=KafkaRequestHandlerPool,name=*IdlePercent",
               "kafka.server:type=DelayedOperationPurgatory,name=*,delayedOperation=Produce",
               "kafka.server:type=DelayedOperationPurgatory,name=*,delayedOperation=Fetch",
               "kafka.network:type=RequestMetrics,name=*TimeMs,request=Produce",
               "kafka.network:type=RequestMetrics,name=*TimeMs,request=FetchConsumer"),
    "producer": ("kafka.producer:type=producer-metrics,client-id=*",
                 "kafka.producer:type=producer-topic-metrics,client-id=*,topic=*"),
    "consumer": ("kafka.consumer:type=consumer-metrics,client-id=*",
                 "kafka.consumer:type=consumer-fetch-manager-metrics,client-id=*")}
ATTRIBUTES = "Value,OneMinuteRate,Count,Mean,99thPercentile,Max"
PLAIN_PORTS = {"broker": 9999, "producer": 9998, "consumer": 9997}
DEFAULTS = {
    "brokers": ("num.network.threads", "num.io.threads", "queued.max.requests", "log.segment.bytes",
                "log.roll.ms", "log.roll.hours", "log.index.interval.bytes",
                "log.index.size.max.bytes", "log.flush.interval.messages", "log.flush.interval.ms"),
    "topics": ("segment.bytes", "segment.ms", "index.interval.bytes", "segment.index.bytes",
               "flush.messages", "flush.ms"),
    "producer": ("acks", "enable.idempotence", "linger.ms", "batch.size", "buffer.memory",
                 "max.in.flight.requests.per.connection"),
    "consumer": ("fetch.min.bytes", "fetch.max.wait.ms", "fetch.max.bytes",
                 "max.partition.fetch.bytes")}

REQUEST_LOG = "-Dorg.slf4j.simpleLogger.log.kafka.request.logger=debug"
LOGGED = r'Completed request:\{.*"clientId":"console-.*"requestApiKeyName":"(?:PRODUCE|FETCH)".*'
DUMPED = ("log", "index", "timeindex", "snapshot")
WHO = ("isForwarded", "connection", "securityProtocol", "principal", "listener",
       "clientInformation")
SHOWN_OF_BROKER = r":(Value|OneMinuteRate|Mean)="
SHOWN_OF_CLIENTS = (r":(record-queue-time|batch-size|records-per-request|request-latency|"
                    r"record-size|fetch-latency|fetch-size)-avg=")


class Console(tools.Tools):
    """Runs Kafka's commands against one broker and keeps what they print."""

    def __init__(self, work: Path) -> None:
        self.jmx_ports = dict(zip(MBEANS, free_ports(len(MBEANS))))
        self.broker = Broker(work, {}, JARS, options=(
            *tools.jmx(self.jmx_ports["broker"]), REQUEST_LOG))
        super().__init__(self.broker.log_dir, {self.broker.port: 9092} | {
            port: PLAIN_PORTS[whose] for whose, port in self.jmx_ports.items()})

    def asked(self, name: str, *arguments: str, **how: Any) -> str:
        """A command that asks the broker."""
        return self.printed(name, *arguments, at=self.broker.port, **how)

    def client(self, whose: str, *arguments: str) -> subprocess.Popen:
        """A console producer or consumer that can be asked by JMX."""
        command = tools.command(f"kafka-console-{whose}.sh", *tools.jmx(self.jmx_ports[whose]))
        at = ("--bootstrap-server", f"localhost:{self.broker.port}")
        return subprocess.Popen([*command, *at, "--topic", TOPIC, *arguments], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def metrics_of(self, whose: str) -> str:
        """What kafka-jmx prints of the broker or of a client."""
        only = ("--attributes", ATTRIBUTES) if whose == "broker" else ()
        return self.metrics(self.jmx_ports[whose], MBEANS[whose], *only)

    def requests(self) -> str:
        """The request log's lines of the produces, and of the consumer's fetches."""
        found = re.findall(LOGGED, self.broker.said(WHOLE))
        return self.plain("".join(f"{line}\n" for line in found))


def defaults(console: Console) -> str:
    """The settings that the course states; and a segment size that Kafka refuses."""
    told = []
    for entity, name in (("brokers", "1"), ("topics", TOPIC)):
        told += tools.settings(console.asked(
            "kafka-configs.sh", "--describe", "--all", "--entity-type", entity,
            "--entity-name", name), DEFAULTS[entity]).splitlines()
    for client in ("producer", "consumer"):
        name = f"org.apache.kafka.clients.{client}.{client.title()}Config"
        command, _, page = console.printed(name).partition("\n")
        told.append(command)
        for key in DEFAULTS[client]:
            told.append(f"{key}=" + re.search(
                rf'<h4><a id="{re.escape(key)}">.*?Default:</th><td>(.*?)</td>', page, re.S)[1])
    refused = console.asked("kafka-topics.sh", "--create", "--topic", "small", "--config",
                            "segment.bytes=500", refused=True)
    return "\n".join([*told, *refused.splitlines()[:2], ""])


def until_read(consumer: subprocess.Popen, count: int) -> None:
    """Wait until the console consumer has printed so many records."""
    while count:
        line = consumer.stdout.readline()
        assert line, "the console consumer ended before it had read all"
        count -= line in "".join(SENT).splitlines(keepends=True)


def orders(console: Console) -> Iterator[tuple[str, str]]:
    """The small run: (name, text) of what is seen while it goes on."""
    console.asked("kafka-topics.sh", "--create", "--topic", TOPIC, "--config",
                  "index.interval.bytes=100")
    yield "configs", defaults(console)
    time.sleep(WARM_UP_S)
    with contextlib.ExitStack() as running:
        producer = running.enter_context(console.client(
            "producer", "--reader-property", "parse.key=true", "--reader-property",
            "key.separator=:", "--timeout", "5", "--request-timeout-ms", "30000"))
        running.callback(producer.kill)
        for batch in SENT[:-1]:
            time.sleep(A_WHILE_S)
            producer.stdin.write(batch)
            producer.stdin.flush()
        consumer = running.enter_context(console.client(
            "consumer", "--from-beginning", "--group", "shop", "--formatter-property",
            "print.key=true", "--formatter-property", "key.separator=:"))
        running.callback(consumer.kill)
        until_read(consumer, 3)
        time.sleep(A_WHILE_S + HALF_A_WAIT_S)
        producer.stdin.write(SENT[-1])
        producer.stdin.flush()
        until_read(consumer, 3)
        for whose in MBEANS:
            yield f"metrics-{whose}", console.metrics_of(whose)
        yield "requests", console.requests()
    yield "growth", growth(console)


def growth(console: Console) -> str:
    """One key in two partitions: a topic grows between two batches, and is read from its start."""
    def sent(*lines: str) -> str:
        return console.asked(
            "kafka-console-producer.sh", *topic, "--reader-property", "parse.key=true",
            "--reader-property", "key.separator=:", lines=lines)
    topic, shown = ("--topic", "events"), ("print.partition", "print.offset", "print.key")
    read = [part for name in shown for part in ("--formatter-property", f"{name}=true")]
    return "".join((
        console.asked("kafka-topics.sh", "--create", *topic, "--partitions", "3"),
        sent(*GROWTH[0]),
        console.asked("kafka-topics.sh", "--alter", *topic, "--partitions", "4"),
        sent(*GROWTH[1]),
        console.asked("kafka-console-consumer.sh", *topic, "--from-beginning", *read,
                      "--max-messages", str(sum(map(len, GROWTH))))))


def record(work: Path, out: Path) -> None:
    """Play the small run in `work`; what was printed goes into `out`."""
    console = Console(work)
    told = {}
    console.broker.start()
    try:
        told.update(orders(console))
    finally:
        console.broker.stop()
    names = [path.relative_to(console.broker.log_dir).as_posix() for kind in DUMPED
             for path in sorted(console.broker.directory(TOPIC).glob(f"*.{kind}"))]
    told["dump-log"] = console.printed("kafka-dump-log.sh", "--deep-iteration", "--print-data-log",
                                       "--files", ",".join(names))
    tools.keep(out, told)


# -- what notebooks show ----------------------------------------------------------------------
def request(line: str) -> str:
    """A line of the request log without those who spoke, one field of the rest a line."""
    head, brace, rest = line.partition("{")
    told = {key: value for key, value in json.loads(brace + rest).items() if key not in WHO}
    fields = (f" {json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}"
              for key, value in told.items())
    return f"{head}{{\n" + ",\n".join(fields) + "\n}\n"


def excerpts(recorded: Path) -> dict[str, str]:
    """{name: text} of what notebooks show: whole lines of the recordings, requests shortened."""
    told = tools.recorded(recorded)
    dump, log = told["dump-log"].splitlines(keepends=True), told["requests"].splitlines()
    others = next(number for number, line in enumerate(dump) if line.endswith(".index\n"))
    waited = [line for line in log if '"FETCH"' in line and '"recordsSizeInBytes"' in line][-1]
    return {
        "dump-log": "".join(dump[:8]), "dump-log-others": "".join(dump[:1] + dump[others:]),
        "request-produce": request(log[0]), "request-fetch": request(waited),
        "metrics-broker": tools.shortened(told["metrics-broker"], SHOWN_OF_BROKER),
        "metrics-producer": tools.shortened(told["metrics-producer"], SHOWN_OF_CLIENTS),
        "metrics-consumer": tools.shortened(told["metrics-consumer"], SHOWN_OF_CLIENTS),
        "configs": told["configs"], "growth": told["growth"]}


def main(arguments: list[str]) -> int:
    """Exit status: 0, or 2 where nothing could be recorded."""
    about = argparse.ArgumentParser(prog="python -m tests.golden.recorder.console",
                                    description="Record what Kafka's own tools print.")
    return tools.renew(arguments, about, STORED, record, excerpts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
