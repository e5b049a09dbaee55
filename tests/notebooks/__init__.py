"""The notebooks of the course, seen from outside: what they must keep, and what they store."""
