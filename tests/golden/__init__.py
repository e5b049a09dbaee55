"""Bytes and behaviour of the real Kafka, and what reads them."""
