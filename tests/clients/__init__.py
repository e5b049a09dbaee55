"""The cores of the clients, and what they do over a cluster."""
