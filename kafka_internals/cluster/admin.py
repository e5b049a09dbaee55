"""Admin: topics, quotas and metrics, as Kafka's Admin client and its tools offer them."""

from typing import Any

from kafka_internals.cluster import checks
from kafka_internals.cluster.handles import Topic


class Admin:
    """The half of the handle that an operator uses."""

    def create_topic(self, name: str, partitions: int = 1, replication_factor: int = 3,
                     configs: dict | None = None) -> Topic:
        """A topic; partition p is led by the p-th broker. `configs` by Kafka's names.

        Errors: InvalidTopicException, TopicExistsException, InvalidPartitionsException,
        InvalidReplicationFactorException, InvalidConfigurationException.
        """
        checks.new_topic(self.machine, name, partitions, replication_factor)
        given = checks.topic_configs(configs or {})
        self._command("create_topic", topic=name, partitions=partitions,
                      replication_factor=replication_factor, configs=given)
        return Topic(self, name)

    def create_partitions(self, topic: Any, total_count: int) -> None:
        """Let a topic have `total_count` partitions; records that are there stay where they are.

        A client learns of it with its next metadata: at the latest after `metadata.max.age.ms`,
        and places records among the old ones until then. Errors: UnknownTopicOrPartitionException,
        InvalidPartitionsException where it would not be an increase.
        """
        name = getattr(topic, "name", topic)
        checks.more_partitions(self.machine, name, total_count)
        self._command("create_partitions", topic=name, total_count=total_count)

    def alter_client_quotas(self, client_id: Any, configs: dict[str, float | None]) -> None:
        """Set quotas of a client.id, or of every client without one of its own (None).

        `producer_byte_rate` and `consumer_byte_rate` in bytes a second, `request_percentage` in
        percent of one thread, on each broker; None removes one. InvalidRequestException.
        """
        name = getattr(client_id, "name", client_id)
        self._command("alter_client_quotas", client_id=name,
                      quotas=checks.quotas(name, configs))

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
