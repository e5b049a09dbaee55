"""Records the storage cases anew: their steps, given to a real Apache Kafka 4.4.0."""
