"""The world below Kafka: clock, network, disk, trace, journal and search."""
