"""A partition's log on one disk: files of record batches and how they are found again."""
