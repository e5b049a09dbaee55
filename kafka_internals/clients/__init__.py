"""KafkaProducer and KafkaConsumer, as cores: the threads behind the calls, without the threads."""
