"""The modules of the course, in order: what each asks, what it builds on, and which are there.

The map in the first notebook and in the README is made from this list.
"""

from typing import NamedTuple


class Module(NamedTuple):
    """One notebook. `ready` once it is part of this version.

    `run_s`: what executing it took, in whole seconds, as the `notebooks` verb says.
    """

    number: str
    notebook: str
    title: str
    question: str
    builds_on: tuple[str, ...]
    ready: bool = False
    run_s: int = 0


# fmt: off
MODULES = (
    Module("00", "00_start_here", "Start here",
           "What is this, how do I drive it, and what can it show me in one minute?", (), True),
    Module("01", "01_fundamentals", "Fundamentals",
           "What is a topic really, and what does a key decide?", ("00",), True, 5),
    Module("02", "02_inside_the_broker", "Inside the broker",
           "What happens to one produce request and one fetch request, down to the bytes on disk?",
           ("01",), True, 8),
    Module("03", "03_replication", "Replication",
           "When is a record safe, and how do replicas that disagree come to agree?", ("02",),
           True, 10),
    Module("04", "04_control_plane", "Control plane",
           "Who decides who leads, and how does every broker find out?", ("03",)),
    Module("05", "05_consumer_groups", "Consumer groups",
           "How do consumers share work without losing their place or their order?", ("01",)),
    Module("06", "06_durability_availability_ordering", "Durability, availability, ordering",
           "Which settings buy which guarantee, and what is the price?", ("03",)),
    Module("07", "07_transactions", "Transactions",
           "How can writes to many partitions be all-or-nothing in an append-only log?",
           ("05", "06")),
    Module("08", "08_compaction", "Compaction",
           "How does a log keep the latest value per key, and what may a reader still see?",
           ("02",)),
    Module("09", "09_tiered_storage", "Tiered storage",
           "What moves to object storage, when, and who still finds it?", ("02",)),
    Module("10", "10_cluster_elasticity", "Cluster elasticity",
           "How does data move when brokers come and go, without hurting clients?", ("04",)),
    Module("11", "11_geo_replication", "Geo-replication",
           "How do clusters in different places keep one truth, and what is lost when one burns?",
           ("06",)),
    Module("Lab A", "lab_a_tuning_the_producer", "Tuning the producer",
           "What do linger, batch size and compression buy?", ("02",), True, 8),
    Module("Lab B", "lab_b_consumer_groups", "Consumer groups, hands on",
           "What does a rebalance look like from inside?", ("05",)),
    Module("Lab C", "lab_c_cluster_linking", "Cluster linking",
           "How does one cluster mirror another?", ("11",)),
)
# fmt: on
