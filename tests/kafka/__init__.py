"""What Kafka's own tools say of the files that we export."""
