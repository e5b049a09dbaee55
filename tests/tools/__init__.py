"""Set-up, notebooks, export and bench: what the command line does."""
