"""Inside one broker: its threads and queues, its partitions, and the operations that wait."""
