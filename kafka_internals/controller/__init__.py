"""The control plane. So far it is only what the brokers would have been told by a controller."""
