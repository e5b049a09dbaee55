"""What the command line calls: set-up, notebooks, export, bench. Only here things are printed."""
