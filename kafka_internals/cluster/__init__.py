"""Where the cores meet the world: nodes, the learner's handle, and Kafka's invariants."""
