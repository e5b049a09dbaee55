"""Admin: topics, quotas and metrics, as Kafka's Admin client and its tools offer them."""

from typing import Any

from kafka_internals.cluster import checks
from kafka_internals.cluster.admin_client import API_TIMEOUT_MS
from kafka_internals.cluster.handles import Topic
from kafka_internals.errors import TimeoutException, for_name


class Admin:
    """The half of the handle that an operator uses."""

    def create_topic(self, name: str, partitions: int = 1, replication_factor: int = 3,
                     configs: dict | None = None, *,
                     replica_assignment: dict[int, list[int]] | None = None) -> Topic:
        """A topic, placed by the controller, or by hand: {partition: brokers, the leader first}.

        By hand the assignment says how many partitions and replicas there are; else -1 stands for
        `num.partitions` or `default.replication.factor`. `configs` by Kafka's names.

        Errors: InvalidTopicException, TopicExistsException, InvalidPartitionsException,
        InvalidReplicationFactorException, InvalidReplicaAssignmentException,
        InvalidConfigurationException, PolicyViolationException.
        """
        checks.new_topic(name, partitions, replication_factor, replica_assignment)
        given = tuple(sorted((str(key), one) for key, one in (configs or {}).items()))
        by_hand = tuple((number, tuple(brokers))
                        for number, brokers in (replica_assignment or {}).items())
        numbers = (-1, -1) if by_hand else (partitions, replication_factor)
        self._ask("create_topic", topic=name, partitions=numbers[0],
                  replication_factor=numbers[1], configs=given, assignment=by_hand)
        return Topic(self, name)

    def create_partitions(self, topic: Any, total_count: int) -> None:
        """Let a topic have `total_count` partitions; records that are there stay where they are.

        A client learns of it with its next metadata: at the latest after `metadata.max.age.ms`,
        and places records among the old ones until then. Errors: UnknownTopicOrPartitionException,
        InvalidPartitionsException where it would not be an increase.
        """
        name = getattr(topic, "name", topic)
        checks.more_partitions(self.machine, name, total_count)
        self._ask("create_partitions", topic=name, total_count=total_count)

    def alter_client_quotas(self, client_id: Any, configs: dict[str, float | None]) -> None:
        """Set quotas of a client.id, or of every client without one of its own (None).

        `producer_byte_rate` and `consumer_byte_rate` in bytes a second, `request_percentage` in
        percent of one thread, on each broker; None removes one. InvalidRequestException.
        """
        name = getattr(client_id, "name", client_id)
        self._ask("alter_client_quotas", client_id=name, quotas=checks.quotas(name, configs))

    def _ask(self, command: str, **args: Any) -> None:
        """Wait for the controller's answer, then until every broker that can knows of it.

        A refusal is raised in the controller's words, with what was asked for behind them.
        """
        self._command(command, **args)
        run = self.machine
        self._advance(lambda: run.asked in run.admin.answers, None)
        if isinstance(body := run.admin.answers[run.asked], TimeoutException):
            raise body
        for one in body[0]:
            if one.error != "NONE":
                said = ", ".join(f"{key}={given!r}" for key, given in args.items() if given != ())
                raise for_name(one.error)(f"{one.error_message or one.error} [{command}({said})]")
        self._advance(run.is_known, run.world.now_us + API_TIMEOUT_MS * 1000)

    def metrics(self, broker: int) -> dict[str, Any]:
        """Kafka's metrics of a broker's request path by their names, since it began.

        Sizes, idle percents (0 to 1), and for each kind of request a `Histogram` of each of its
        times in ms: metrics(1)["TotalTimeMs,request=Produce"].Mean. Empty while it is down.
        """
        node = checks.broker(self.machine, broker)
        return dict((*self._gauges(node), *node.threads.metrics.snapshot())) if node.up else {}

    def metric(self, broker: int, name: str) -> Any:
        """One metric by its name; a gauge costs little, so a predicate may ask for one.

        Errors: IllegalStateException names the metrics that there are.
        """
        node = checks.broker(self.machine, broker)
        gauges = dict(self._gauges(node)) if node.up else {}
        return gauges[name] if name in gauges else checks.metric(self.metrics(broker), broker, name)

    def _gauges(self, node: Any) -> tuple:
        return node.threads.gauges(node.manager.parked(), self.machine.world.now_us)
