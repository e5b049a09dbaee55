"""The cores of a broker, as cores: a message and a time in, effects out."""
