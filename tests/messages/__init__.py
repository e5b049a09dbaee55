"""Requests and responses, by protocol."""
