"""Kafka's internals, alive: a compact, deterministic Kafka in Python, and a course that plays it.

The names below are the front door, in reading order; each is loaded when it is first used, so that
`import kafka_internals` costs nothing and works on a machine where nothing is installed yet.
"""

import importlib

__version__ = "0.1.0"

# fmt: off
_HOME = {                                         # what you use first stands first
    "canonical":        "course.canonical",       # the clusters that every notebook starts from
    "Cluster":          "cluster.cluster",        # brokers, clients, faults, forks, "why?"
    "bet":              "course.bet",             # guess first, then run
    "replica_view":     "viz.replica_view",       # who has which records, and what is committed
    "replication_view": "viz.replication_view",   # the same by epochs, with what the controller has
    "membership_view":  "viz.membership_view",    # brokers as registered, and the last election
    "epoch_view":       "viz.epoch_view",         # leader epoch checkpoints side by side
    "isr_view":         "viz.isr_view",           # a partition's states, lit
    "placement":        "viz.placement",          # a topic's replicas over racks
    "sequence_view":    "viz.sequence_view",      # who said what to whom, and when
    "machine_view":     "viz.machine_view",       # a state machine, lit where it stands
    "pipeline_view":    "viz.pipeline_view",      # a broker's threads, queues and purgatory
    "accumulator_view": "viz.accumulator_view",   # a producer's batches, and what is on its way
    "strips_view":      "viz.strips_view",        # a topic's partitions: keys, offsets, positions
    "page_cache_view":  "viz.page_cache_view",    # what a power loss could take
    "layer_map":        "viz.layer_map",          # what stores, what computes
    "byte_view":        "viz.byte_view",          # a file byte by byte: byte_view(dump(content))
    "changed_byte_view": "viz.byte_view",         # one byte before and after: of changed(...)
    "segment_view":     "viz.segment_view",       # how an offset is found: of look_up(log, 17)
    "two_futures":      "viz.futures",            # two runs side by side on one clock
    "sandbox":          "course.sandbox",         # a live cluster to load and to break
    "byte_bench":       "course.byte_bench",      # one byte of a file, changed by hand
    "sweep":            "course.measurements",    # one setting, many small runs
    "depths":           "course.measurements",    # a broker's queue and threads over time
    "read_back":        "course.measurements",    # a reader far behind, and at the tail
    "sweep_chart":      "viz.quantities",         # latency, throughput and requests
    "depth_chart":      "viz.quantities",
    "read_chart":       "viz.quantities",
    "CostTable":        "viz.quantities",         # what each task takes, and why
    "legend":           "course.legend",          # how everything looks
    "why_graph":        "viz.topology",           # the causes behind a value, as a graph
    "module_map":       "viz.topology",           # the course's modules, and what builds on what
    "Player":           "viz.player",             # a film, played
    "TopicPartition":   "common",                 # "orders-0"
    "RecordBatch":      "record_batch",           # the bytes themselves
    "Record":           "record_batch",
    "UnifiedLog":       "storage.unified_log",    # a replica's log
    "LogDirectory":     "storage.log_directory",  # a broker's files, ours or a real one's
    "dump":             "storage.dump_log_segments",  # what every byte of a file means
    "changed":          "storage.dump_verdict",   # who notices that a byte became another
    "look_up":          "storage.lookup_snapshot",    # segment, index, scan, batch
    "Partition":        "server.partition",       # the high watermark rule
    "ReplicaManager":   "server.replica_manager", # what a broker does with a request
    "KafkaProducer":    "clients.kafka_producer", # the sender behind send()
    "KafkaConsumer":    "clients.kafka_consumer", # the fetcher behind poll()
    "World":            "sim.world",              # the clock, the agenda, the dice
    "Trace":            "sim.trace",              # what happened, and what was read
    "errors":           "errors",                 # Kafka's errors, by name
    "config":           "config",                 # Kafka's configs, with their validators
}
# fmt: on
_MODULES = ("canonical", "errors", "config")
__all__ = list(_HOME)                             # noqa: PLE0604


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError("kafka_internals has no %r; there is %s" % (name, ", ".join(_HOME)))
    module = importlib.import_module("kafka_internals." + _HOME[name])
    return module if name in _MODULES else getattr(module, name)


def __dir__():
    return sorted(list(globals()) + __all__)
