"""The metadata quorum: who leads it, and what its log holds."""
