"""A log on a disk: offsets, reads, recovery."""
